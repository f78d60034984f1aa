"""Calls a variant's pool over HTTP, within a time limit, and with a second URL if the first refuses."""

import asyncio
import math
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import httpx

from pitwall_crds.host.http.frugal import FrugalTransport, allowing, bounded
from pitwall_crds.host.http.unpacked import UNPACKED, packing
from pitwall_crds.names import Arm, Header
from pitwall_gateway.counting.series import ArmSeries
from pitwall_gateway.pools.routes import RouteTable
from pitwall_gateway.pools.silence import Silence
from pitwall_gateway.values.answer import FailureKind, Reply, VariantFailure, VariantRefusal, read_reply
from pitwall_gateway.values.speaker import NOBODY, Party
from pitwall_gateway.values.under_way import one_more

UNCONNECTED = (httpx.ConnectError, httpx.ConnectTimeout)
"""The question cannot have reached anybody."""
WORDS_SECONDS = 0.5
"""What a runtime has less than the call, so that it can still say why there is no answer; of short calls a tenth."""
STALE_CONNECTION_SECONDS = 0.1
"""A kept connection that the runtime had closed fails within this time; only then is the call repeated."""
CALLER_PART: Final = 3 / 4
"""The most of an arm's places that one caller has: another one's questions always find some."""


@dataclass(frozen=True, slots=True)
class CallLimits:
    """What a call may take. `in_flight` is per (variant, arm), so that one that hangs cannot starve the others.
    `reply_bytes` are read on the event loop, while all others wait: that takes some milliseconds. The longest answer,
    of 1024 frames and 32 768 tokens, has less, and so has what is told of a batch of 1000 videos."""

    answer_seconds: float = 60.0
    reply_bytes: int = 1 << 20
    connect_seconds: float = 2.0
    in_flight: int = 128
    connections: int = 1024


@dataclass(frozen=True, slots=True)
class RuntimeExchange:
    """What is called of a runtime, and how its reply is read: from status, body and seconds."""

    method: str
    path: str
    read: Callable[[int, bytes, float], Reply]


ANSWERS = RuntimeExchange("POST", "/v1/chat/completions", read_reply)


@dataclass(frozen=True, slots=True)
class Call:
    """One question of one party for one variant, to be answered before `ends` (time.monotonic), if that is said.
    `instead`: it was assigned to another arm, so it has no part in the bounds of this one. `hurried`: its caller gives
    it less time than usual."""

    variant: str
    arm: Arm
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    party: Party = NOBODY
    ends: float = math.inf
    instead: bool = False
    hurried: bool = False
    exchange: RuntimeExchange = ANSWERS


Urls = Callable[[str, Arm], Awaitable[tuple[str, ...]]]
"""A variant and an arm in, the URLs of those who may be asked out."""


Answered = Callable[[ArmSeries, str, float, float], None]
"""Hears whom a call was for, the URL, when it was asked, and the seconds until its answer or failure."""


class Upstream:
    """The runtimes behind the gateway, as an HTTP client with bounds."""

    def __init__(
        self,
        routes: RouteTable,
        limits: CallLimits,
        urls: Urls | None = None,
        answered: Answered | None = None,
        silence: Silence | None = None,
    ) -> None:
        """`urls` says who may be asked, and may take its time; without it, whoever is in the routes. `answered` hears
        of every URL's answers and failures; of what the caller abandons, or is at fault for, it hears nothing.
        `silence` hears of every connection."""
        self._routes = routes
        self._urls = urls or self._routed
        self._answered = answered or (lambda *_: None)
        self._silence = silence or Silence()
        self._limits = limits
        self._in_flight: Counter[tuple[str, Arm, bool]] = Counter()
        self._of_callers: Counter[tuple[tuple[str, Arm, bool], str]] = Counter()
        self._client = httpx.AsyncClient(
            timeout=httpx.Timeout(limits.answer_seconds, connect=limits.connect_seconds, pool=limits.connect_seconds),
            transport=FrugalTransport(
                httpx.Limits(max_connections=limits.connections, max_keepalive_connections=128, keepalive_expiry=4)
            ),
            trust_env=False,
        )

    async def ask(self, call: Call) -> Reply:
        """The variant's reply, or a failure that says who did not answer and why."""
        key = (call.variant, call.arm, call.instead)
        whose = (key, call.party.caller)
        if full := self._full(call.variant, self._in_flight[key], self._of_callers[whose] if whose[1] else 0):
            return full
        call = self._bounded(call)
        try:
            with one_more(self._in_flight, key), one_more(self._of_callers, whose):
                return await self._ask_warm(call)
        except TimeoutError:
            return VariantFailure(
                FailureKind.TIMEOUT, f"no pod of sampler variant {call.variant} was warm in time", late=True
            )

    def _full(self, variant: str, under_way: int, of_caller: int) -> VariantFailure | None:
        """Why there is no place for one more question; our own limit says nothing of the variant."""
        limit = self._limits.in_flight
        if under_way >= limit:
            words = f"sampler variant {variant} has {limit} questions under way, its limit"
        elif of_caller >= (part := max(1, int(limit * CALLER_PART))):
            words = f"sampler variant {variant} has {part} questions of this caller under way, its part of {limit}"
        else:
            return None
        return VariantFailure(FailureKind.SATURATED, words, counts=False)

    async def _ask_warm(self, call: Call) -> Reply:
        """Raises TimeoutError where no pod is warm in time."""
        async with asyncio.timeout(_left(call)):
            urls = await self._urls(call.variant, call.arm)
        if urls:
            return await self._ask_pool(call, urls)
        words = f"sampler variant {call.variant} has no URL in the routes file"
        return VariantFailure(FailureKind.UNROUTED, words, reached=False)

    async def ask_at(self, url: str, call: Call) -> Reply:
        """The reply of this one URL; never raises."""
        return await self._ask_again(self._bounded(call), url)

    def _bounded(self, call: Call) -> Call:
        """The call, to end with the limit at the latest."""
        return replace(call, ends=min(call.ends, time.monotonic() + self._limits.answer_seconds))

    async def close(self) -> None:
        """Close every connection."""
        await self._client.aclose()

    async def _routed(self, variant: str, arm: Arm) -> tuple[str, ...]:
        return self._routes.current(time.monotonic()).urls(variant, arm)

    async def _ask_pool(self, call: Call, urls: tuple[str, ...]) -> Reply:
        """Ask one URL, and once more another way if the question cannot have reached it."""
        started = time.monotonic()
        url = self._routes.pick(urls, started)
        try:
            return await self._ask_url(call, url)
        except UNCONNECTED as error:
            self._routes.refused(url, time.monotonic())
            others = tuple(other for other in urls if other != url)
            if not others:
                return _unconnected(call, url, error)
        except httpx.RemoteProtocolError as error:
            if time.monotonic() - started > STALE_CONNECTION_SECONDS:
                return _unreachable(call, url, error)
            others = urls
        return await self._ask_again(call, self._routes.pick(others, time.monotonic()))

    async def _ask_again(self, call: Call, url: str) -> Reply:
        try:
            return await self._ask_url(call, url)
        except UNCONNECTED as error:
            self._routes.refused(url, time.monotonic())
            return _unconnected(call, url, error)
        except httpx.RemoteProtocolError as error:
            return _unreachable(call, url, error)

    async def _ask_url(self, call: Call, url: str) -> Reply:
        """One HTTP exchange; raises only what may be worth a second URL."""
        self._routes.begin(url)
        started = time.monotonic()
        try:
            reply = await self._exchange(call, url, started)
        except (*UNCONNECTED, httpx.RemoteProtocolError):
            self._tell(call, url, started)
            raise
        finally:
            self._routes.end(url)
        if not isinstance(reply, VariantRefusal):
            self._tell(call, url, started)
        return reply

    async def _exchange(self, call: Call, url: str, started: float) -> Reply:
        limit, exchange = _left(call), call.exchange
        headers = {**call.headers, **UNPACKED, Header.DEADLINE: str(max(1, int(1000 * _to_answer_in(limit))))}
        if call.party.caller:
            headers[Header.PARTY] = call.party.digests()
        connecting = self._silence.attempt(ArmSeries(call.variant, call.arm))
        allowance = allowing()
        method, address, trace = exchange.method, url + exchange.path, {"trace": connecting.trace}
        try:
            async with (
                asyncio.timeout(limit),
                self._client.stream(method, address, content=call.body, headers=headers, extensions=trace) as response,
            ):
                if packed := packing(response.headers):
                    return _packed(call, url, packed)
                allowance.left += 2 * self._limits.reply_bytes
                content = await bounded(response.aiter_bytes(), self._limits.reply_bytes)
            if content is None:
                return self._too_large(call, url)
            reply = exchange.read(response.status_code, content, time.monotonic() - started)
            return replace(reply, detail=f"{url}: {reply.detail}") if isinstance(reply, VariantFailure) else reply
        except (*UNCONNECTED, httpx.RemoteProtocolError):
            raise
        except (TimeoutError, httpx.TimeoutException):
            return self._too_late(call, url, time.monotonic() - started, limit)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return _unreachable(call, url, error)
        finally:
            connecting.close()

    def _tell(self, call: Call, url: str, started: float) -> None:
        self._answered(ArmSeries(call.variant, call.arm), url, started, time.monotonic() - started)

    def _too_large(self, call: Call, url: str) -> VariantFailure:
        words = (
            f"sampler variant {call.variant} sent more than the limit of {self._limits.reply_bytes} bytes, or crumbs, "
            f"at {url}; "
            "no answer is so long: look at what its answer engine says, or make its maxFrames or maxTokens less"
        )
        return VariantFailure(FailureKind.MALFORMED, words)

    def _too_late(self, call: Call, url: str, waited: float, limit: float) -> VariantFailure:
        return VariantFailure(
            FailureKind.TIMEOUT,
            f"sampler variant {call.variant} did not answer in {waited:.1f} s, the limit is {limit:.3g} s at {url}",
            late=True,
        )


def _to_answer_in(limit: float) -> float:
    return limit - min(WORDS_SECONDS, limit / 10)


def _left(call: Call) -> float:
    """Seconds that are left for the call; hardly any when none is."""
    return max(0.001, call.ends - time.monotonic())


def _packed(call: Call, url: str, how: str) -> VariantFailure:
    words = f"sampler variant {call.variant} packed its reply as {how} at {url}, which nobody asked for"
    return VariantFailure(FailureKind.MALFORMED, words)


def _unconnected(call: Call, url: str, error: httpx.TransportError) -> VariantFailure:
    return replace(_unreachable(call, url, error), reached=False)


def _unreachable(call: Call, url: str, error: Exception) -> VariantFailure:
    words = str(error) or type(error).__name__
    return VariantFailure(
        FailureKind.UNREACHABLE, f"sampler variant {call.variant} cannot be reached at {url}: {words}"
    )

"""Sends copies of answered questions to a shadow variant and compares the two answers, without delaying any user."""

import asyncio
import logging
import math
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from pitwall_crds.host.logs import fields
from pitwall_crds.names import Arm, CacheResult, Header, Outcome, TrialKind
from pitwall_gateway.counting.series import ArmSeries
from pitwall_gateway.counting.tally import End
from pitwall_gateway.counting.telemetry import GatewayTelemetry
from pitwall_gateway.pools.circuits import Answerer
from pitwall_gateway.pools.upstream import Call
from pitwall_gateway.values.answer import Reply, VariantAnswer, VariantFailure, is_fair, same_video
from pitwall_gateway.values.speaker import NOBODY, Party

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Copy:
    """A question of a party for a shadow variant, and the series it counts on. `primary` is the answer to compare with,
    None if it may not be compared."""

    series: ArmSeries
    body: bytes
    primary: VariantAnswer | None
    headers: Mapping[str, str] = field(default_factory=dict)
    party: Party = NOBODY


USER_PART: Final = 1 / 4
"""Of the places to wait, what one user has."""


@dataclass(frozen=True, slots=True)
class ShadowRule:
    """How many copies wait, and how many are asked at once."""

    queue: int = 64
    concurrency: int = 2


class Shadow:
    """A queue with a few workers, of which a user has one at a time and a part of the places. Its answers are measured
    and thrown away."""

    def __init__(self, upstream: Answerer, telemetry: GatewayTelemetry, rule: ShadowRule) -> None:
        self._upstream = upstream
        self._telemetry = telemetry
        self._rule = rule
        self._waiting: deque[Copy] = deque()
        self._under_way: set[str] = set()
        self._changed = asyncio.Event()
        self._workers: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to work the queue; needs a running event loop."""
        self._workers = [asyncio.create_task(self._work()) for _ in range(self._rule.concurrency)]

    async def close(self) -> None:
        """Stop at once: copies under way and waiting are given up, uncounted."""
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        self._workers = []

    def offer(self, copy: Copy) -> bool:
        """Queue a copy; a full queue, or one with too many of this user's, drops and counts it. Returns at once."""
        person = copy.party.person
        theirs = sum(person == other.party.person for other in self._waiting) if person else 0
        if len(self._waiting) >= self._rule.queue or theirs >= max(1, int(self._rule.queue * USER_PART)):
            self._telemetry.shadow_dropped(copy.series)
            return False
        self._waiting.append(copy)
        self._changed.set()
        return True

    async def _work(self) -> None:
        while True:
            copy = await self._next()
            person = copy.party.person
            self._under_way |= {person} - {""}
            try:
                await self._ask(copy)
            except Exception:  # a worker outlives any single copy
                log.exception("shadow copy for %s", copy.series.variant)
            finally:
                self._under_way.discard(person)
                self._changed.set()

    async def _next(self) -> Copy:
        """The first copy of somebody who has none under way."""
        while True:
            for copy in self._waiting:
                if copy.party.person not in self._under_way:
                    self._waiting.remove(copy)
                    return copy
            self._changed.clear()
            await self._changed.wait()

    async def _ask(self, copy: Copy) -> None:
        series, headers = copy.series, {**copy.headers, Header.ARM: Arm.SHADOW}
        started = time.monotonic()
        waiting, end = self._telemetry.evidence.copied(series), End.ABANDONED
        try:
            reply = await self._upstream.ask(Call(series.variant, series.arm, copy.body, headers, copy.party))
            answer = reply if isinstance(reply, VariantAnswer) else None
            if isinstance(reply, VariantFailure):
                answer_id = headers.get(Header.ANSWER_ID, "")
                log.warning(
                    "copy failed", extra=fields(answer_id=answer_id, variant=series.variant, cause=reply.detail)
                )
            end = _end(reply, copy.primary)
            compared = copy.primary is not None and end is not End.UNMEASURED and not _other_video(reply, copy.primary)
        finally:
            self._telemetry.closed(waiting, series, TrialKind.COPY, copy.party, end, time.monotonic() - started)
        if answer is None:
            self._telemetry.failed(series)
        else:
            self._telemetry.answered(series, answer.seconds)
            self._telemetry.measured(series, TrialKind.COPY, copy.party, answer)
        if copy.primary is not None and compared:
            self._telemetry.shadow_pair(series, Outcome.OK if answer else Outcome.ERROR)
        if copy.primary is not None and compared and answer is not None:
            self._compare(series, answer, copy.primary)

    def _compare(self, series: ArmSeries, shadow: VariantAnswer, primary: VariantAnswer) -> None:
        if not paid_for(primary, shadow):
            self._telemetry.shadow_latency_ratio(series, shadow.seconds / max(primary.seconds, 1e-6))
        if primary.tokens and shadow.tokens:
            self._telemetry.shadow_tokens_ratio(series, shadow.tokens / primary.tokens)


def _end(reply: Reply, primary: VariantAnswer | None) -> End:
    """How a copy ended: of a video that its server did not give to both alike, nothing follows."""
    if isinstance(reply, VariantAnswer):
        return End.ANSWERED
    if primary and isinstance(reply, VariantFailure) and not is_fair(reply, primary, math.inf, 0.0):
        return End.UNMEASURED
    measured = same_video(reply, primary) if primary else reply.video != ""
    return End.FAILED if measured else End.UNMEASURED


def _other_video(reply: Reply, primary: VariantAnswer) -> bool:
    """Whether both were answered, about different videos: their server gave another one the second time."""
    return isinstance(reply, VariantAnswer) and bool(reply.video and primary.video) and reply.video != primary.video


def paid_for(primary: VariantAnswer, shadow: VariantAnswer) -> bool:
    """True if the primary filled the cache that made the shadow fast: such a latency pair would flatter the shadow."""
    return primary.cache == CacheResult.COLD and shadow.cache == CacheResult.WARM

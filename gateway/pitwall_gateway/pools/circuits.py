"""Calls variants through circuit breakers, so that a variant which keeps failing somebody is left alone for a while."""

import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from pitwall_crds.names import Arm
from pitwall_gateway.pools.breaker import Breaker, BreakerRule, Circuit
from pitwall_gateway.pools.upstream import Call
from pitwall_gateway.values.answer import FailureKind, Reply, VariantFailure
from pitwall_gateway.values.speaker import Party

log = logging.getLogger(__name__)
CIRCUITS: Final = 4096
"""Kept at most; whoever was asked longest ago is forgotten, and so closed."""
PODS: Final = 256
"""URLs that a circuit remembers to have met."""

Key = tuple[str, Arm, Party]
Pool = Callable[[str, Arm], tuple[str, ...]]
"""A variant and an arm in, the URLs of its pods out."""


class Answerer(Protocol):
    """Whoever answers a call: the upstream, or the circuit breakers before it."""

    async def ask(self, call: Call) -> Reply:
        """The reply; never raises."""
        ...


@dataclass(slots=True)
class _Line:
    """A circuit, and the pods that it knows."""

    breaker: Breaker
    pods: set[str] = field(default_factory=set)


class Circuits:
    """One circuit per variant, arm and user of a caller, so that nobody's questions cut others off, or let what an
    open circuit refuses them speak against a variant. Questions that name no user have one of their caller. Stable's
    keeps nobody from asking it, where there is nobody else to ask.

    A pod that a circuit has not met, be it a new one or one of another revision, closes it. A failure opens it only
    once it is told to count: a question that stable fails too says nothing of the variant.
    """

    def __init__(self, upstream: Answerer, rule: BreakerRule, pool: Pool = lambda *_: ()) -> None:
        self._upstream = upstream
        self._rule = rule
        self._pool = pool
        self._lines: OrderedDict[Key, _Line] = OrderedDict()

    async def ask(self, call: Call) -> Reply:
        """The upstream's reply, or a failure at once while the circuit is open. An answer or a refusal closes it; what
        a failure means, the caller tells by `failed`."""
        if call.arm is Arm.STABLE:
            return await self._upstream.ask(call)
        line = self._line(call)
        line.breaker, admitted = line.breaker.admit(time.monotonic())
        if not admitted:
            # Until the first trial the failures speak for the next calls too. Later these are no errors, of a variant
            # that may be mended; but it did not answer them, and whoever is to pass has to answer.
            words = f"{call.variant} failed {self._rule.failures} times in a row"
            return VariantFailure(FailureKind.CIRCUIT_OPEN, words, counts=line.breaker.openings <= 1)
        reply = await self._upstream.ask(call)
        if not isinstance(reply, VariantFailure):
            line.breaker = line.breaker.succeeded()
        return reply

    async def ask_aside(self, call: Call) -> Reply:
        """The upstream's reply to a question of another arm: it is asked while the circuit is closed, and leaves the
        circuit as it is."""
        if self._line(call).breaker.circuit is not Circuit.CLOSED:
            return VariantFailure(FailureKind.CIRCUIT_OPEN, f"{call.variant} fails its own users", reached=False)
        return await self._upstream.ask(call)

    def admits(self, call: Call) -> bool:
        """Whether the circuit lets this call pass, as a trial maybe; for an arm that is asked anyway."""
        line = self._line(call)
        line.breaker, admitted = line.breaker.admit(time.monotonic())
        return admitted

    def is_closed(self, call: Call) -> bool:
        """Whether this arm does not keep failing this party."""
        return self._line(call).breaker.circuit is Circuit.CLOSED

    def succeeded(self, call: Call) -> None:
        """A call was answered, by an arm that is asked whatever its circuit says."""
        line = self._line(call)
        line.breaker = line.breaker.succeeded()

    def failed(self, call: Call) -> None:
        """A call failed, and stable could answer its question."""
        line = self._line(call)
        before = line.breaker
        line.breaker = before.failed(time.monotonic())
        if Circuit.OPEN is line.breaker.circuit is not before.circuit:
            wait = line.breaker.wait_seconds
            whom = f"a user of {call.party.caller}" if call.party.caller else "all"
            log.warning("%s as %s for %s: circuit open for %.0f s", call.variant, call.arm, whom, wait)

    def _line(self, call: Call) -> _Line:
        key = (call.variant, call.arm, call.party)
        line = self._lines.get(key)
        if line is None:
            line = self._lines[key] = _Line(Breaker(self._rule))
            if len(self._lines) > CIRCUITS:
                self._lines.popitem(last=False)
        else:
            self._lines.move_to_end(key)
        pods = self._pool(call.variant, call.arm)
        if not line.pods.issuperset(pods):
            if line.pods:
                line.breaker = Breaker(self._rule)
            line.pods = line.pods.union(pods) if len(line.pods) < PODS else set(pods)
        return line

"""Calls variants through a circuit breaker each, so that a variant which keeps failing is left alone for a while."""

import logging
import time
from typing import Protocol

from pitwall_crds.names import Arm
from pitwall_gateway.pools.breaker import Breaker, BreakerRule, Circuit
from pitwall_gateway.pools.upstream import Call
from pitwall_gateway.values.answer import FailureKind, Reply, VariantFailure

log = logging.getLogger(__name__)


class Answerer(Protocol):
    """Whoever answers a call: the upstream, or the circuit breakers before it."""

    async def ask(self, call: Call) -> Reply:
        """The reply; never raises."""
        ...


class Circuits:
    """One circuit per (variant, arm). Stable has none: there is nobody else to ask."""

    def __init__(self, upstream: Answerer, rule: BreakerRule) -> None:
        self._upstream = upstream
        self._rule = rule
        self._breakers: dict[tuple[str, Arm], Breaker] = {}

    async def ask(self, call: Call) -> Reply:
        """The upstream's reply, or a failure at once while the circuit is open."""
        if call.arm is Arm.STABLE:
            return await self._upstream.ask(call)
        key = (call.variant, call.arm)
        breaker, admitted = self._breaker(key).admit(time.monotonic())
        self._breakers[key] = breaker
        if not admitted:
            return VariantFailure(
                FailureKind.CIRCUIT_OPEN, f"{call.variant} failed {self._rule.failures} times in a row"
            )
        reply = await self._upstream.ask(call)
        self.told(call, failed=isinstance(reply, VariantFailure))
        return reply

    def told(self, call: Call, *, failed: bool) -> None:
        """Remember how a call ended."""
        key = (call.variant, call.arm)
        before = self._breaker(key)
        after = before.failed(time.monotonic()) if failed else before.succeeded()
        self._breakers[key] = after
        if Circuit.OPEN is after.circuit is not before.circuit:
            log.warning("%s as %s: circuit open for %.0f s", call.variant, call.arm, after.wait_seconds)

    def _breaker(self, key: tuple[str, Arm]) -> Breaker:
        return self._breakers.get(key) or Breaker(self._rule)

"""A circuit breaker: whether a variant that keeps failing may be called now.

Pure: time comes in as seconds.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from pitwall_crds.host.backoff import Backoff


class Circuit(StrEnum):
    """closed: calls flow; open: none; half_open: one trial decides."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True)
class BreakerRule:
    """When a circuit opens, and for how long; each failed trial doubles the wait up to the longest."""

    failures: int = 5
    open_seconds: float = 5.0
    longest_open_seconds: float = 60.0


@dataclass(frozen=True, slots=True)
class Breaker:
    """One circuit. `since` is when it opened or when its trial began; failures and openings are counted in a row."""

    rule: BreakerRule
    circuit: Circuit = Circuit.CLOSED
    failures: int = 0
    since: float = 0.0
    openings: int = 0

    @property
    def wait_seconds(self) -> float:
        """How long the circuit stays open before a trial."""
        return Backoff(self.rule.open_seconds, self.rule.longest_open_seconds).seconds(self.openings)

    def admit(self, now: float) -> tuple["Breaker", bool]:
        """The circuit after asking whether a call may start, and the answer. A trial that never ended is repeated."""
        if self.circuit is Circuit.CLOSED:
            return self, True
        if now - self.since < self.wait_seconds:
            return self, False
        return replace(self, circuit=Circuit.HALF_OPEN, since=now), True

    def succeeded(self) -> "Breaker":
        """The circuit after a call that was answered: closed, and its memory gone."""
        if self.circuit is Circuit.CLOSED and self.failures == 0:
            return self
        return Breaker(self.rule)

    def failed(self, now: float) -> "Breaker":
        """The circuit after a call that was not answered."""
        failures = self.failures + 1
        match self.circuit:
            case Circuit.OPEN:
                return self
            case Circuit.HALF_OPEN:
                return replace(self, circuit=Circuit.OPEN, since=now, openings=self.openings + 1)
            case Circuit.CLOSED if failures < self.rule.failures:
                return replace(self, failures=failures)
            case Circuit.CLOSED:
                return replace(self, circuit=Circuit.OPEN, failures=failures, since=now, openings=1)

"""Outcomes of calls to one (variant, arm) in, "may be called now" out; pure, time comes in as seconds."""

from dataclasses import dataclass, replace
from enum import StrEnum


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
    """One circuit. `since` is when it opened or when its trial began; failures are counted in a row."""

    rule: BreakerRule
    circuit: Circuit = Circuit.CLOSED
    failures: int = 0
    since: float = 0.0
    wait_seconds: float = 0.0

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
                wait = min(2 * self.wait_seconds, self.rule.longest_open_seconds)
                return replace(self, circuit=Circuit.OPEN, since=now, wait_seconds=wait)
            case Circuit.CLOSED if failures < self.rule.failures:
                return replace(self, failures=failures)
            case Circuit.CLOSED:
                return replace(
                    self, circuit=Circuit.OPEN, failures=failures, since=now, wait_seconds=self.rule.open_seconds
                )

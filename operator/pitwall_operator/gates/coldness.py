"""Says whether a control's pods are still colder than those they are compared with, so that they look slow.

Pods answer about films that they know in less time. A candidate that had copies before, or whose pods live longer,
knows more of them than a control that has just begun. A sampler may need less of a cache than another one; so a control
is still warming up only while it is colder than both the candidate and stable, which runs the control's own sampler.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Final, Self

from pitwall_operator.evidence.basis.counts import EdgeTallies, Tally

MEMORY: Final = 1000.0
"""Questions of the control that are remembered, and never more than half of all: caches fill, so what was long ago says
nothing of now."""
CLEARLY: Final = 2.0
"""Standard deviations beyond which a difference is no chance. A block too many that is left out costs time alone."""


@dataclass(frozen=True, slots=True)
class CacheUse:
    """An arm's questions and how many were cold; those of long ago count for less."""

    trials: float = 0.0
    cold: float = 0.0

    @property
    def rate(self) -> float:
        """Cold ones of all; 0 if there is none."""
        return self.cold / self.trials if self.trials else 0.0

    def after(self, more: Tally, kept: float) -> Self:
        """With more of them, and the earlier ones counting for so much of what they did."""
        return type(self)(kept * self.trials + more.trials, kept * self.cold + more.bad)


@dataclass(frozen=True, slots=True)
class Coldness:
    """How cold each arm was lately; `seen` counts all of the control's questions."""

    seen: int = 0
    control: CacheUse = CacheUse()
    candidate: CacheUse = CacheUse()
    stable: CacheUse = CacheUse()

    def after(self, block: EdgeTallies) -> Self:
        """After one more block; where stable has no users any more, what was known of it stays."""
        seen = self.seen + block.control.trials
        kept = max(1 - block.control.trials / min(MEMORY, seen / 2), 0.0) if seen else 1.0
        return type(self)(
            seen,
            self.control.after(block.control, kept),
            self.candidate.after(block.candidate, kept),
            self.stable.after(block.stable, kept) if block.stable.trials else self.stable,
        )

    def exceeds(self, ratio: float) -> bool:
        """Whether the control has clearly more cold questions than candidate and stable, and more than so many times as
        many as either."""
        return all(_is_colder(self.control, other, ratio) for other in (self.candidate, self.stable))

    def to_state(self) -> list[str]:
        """The numbers that carry it over a restart."""
        arms = (self.control, self.candidate, self.stable)
        return [str(self.seen), *(repr(value) for arm in arms for value in (arm.trials, arm.cold))]

    @classmethod
    def from_state(cls, state: Sequence[str]) -> Self:
        """As `to_state` left it."""
        if not state:
            return cls()
        seen, *values = (float(text) for text in state)
        return cls(int(seen), *(CacheUse(*values[at : at + 2]) for at in range(0, len(values), 2)))


UNKNOWN: Final = Coldness()


def _is_colder(control: CacheUse, other: CacheUse, ratio: float) -> bool:
    """By the test of two proportions."""
    if not (control.trials and other.trials) or control.rate <= ratio * other.rate:
        return False
    pooled = (control.cold + other.cold) / (control.trials + other.trials)
    deviation = sqrt(pooled * (1 - pooled) * (1 / control.trials + 1 / other.trials))
    return control.rate - other.rate > CLEARLY * deviation

"""Tests whether users are split between the arms as configured (sample-ratio mismatch).

Sequential: the Dirichlet-multinomial Bayes factor of Lindon & Malek (NeurIPS 2022, arXiv 2011.03567).
Count users or sessions: queries of one user come together, and would raise false alarms.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import lgamma, log
from typing import Any, Self

from pitwall_operator.evidence.basis.process import State

CONCENTRATION = 100.0
"""Prior users per split: deviations of about a tenth are looked for first."""


def log_bayes_factor(users: Sequence[int], shares: Sequence[float]) -> float:
    """ln of P(counts | shares unknown, near the configured ones) / P(counts | configured shares)."""
    log_factor = lgamma(CONCENTRATION) - lgamma(CONCENTRATION + sum(users))
    for count, share in zip(users, shares, strict=True):
        prior = CONCENTRATION * share
        log_factor += lgamma(prior + count) - lgamma(prior) - count * log(share)
    return log_factor


@dataclass(frozen=True, slots=True)
class MismatchProcess:
    """Evidence about one split, whose shares add up to 1, all above 0. Every user counts once, where first seen."""

    shares: tuple[float, ...]
    users: tuple[int, ...] = ()
    peak_log_e: float = 0.0

    def __post_init__(self) -> None:
        if min(self.shares, default=0) <= 0 or abs(sum(self.shares) - 1) > 1e-6:
            raise ValueError(f"shares must be above 0 and add up to 1, got {self.shares}")

    @property
    def log_e(self) -> float:
        """Natural logarithm of the evidence now."""
        return log_bayes_factor(self.users, self.shares) if self.users else 0.0

    def update(self, users: Sequence[int]) -> Self:
        """The process after one more block of new users per arm."""
        kept = self.users or (0,) * len(self.shares)
        after = replace(self, users=tuple(known + new for known, new in zip(kept, users, strict=True)))
        return replace(after, peak_log_e=max(self.peak_log_e, after.log_e))

    def to_state(self) -> State:
        """The numbers that carry it over a restart."""
        return {"users": list(self.users), "peak": repr(self.peak_log_e)}

    def restored(self, state: Mapping[str, Any]) -> Self:
        """This process with the numbers of `to_state`."""
        return replace(self, users=tuple(state["users"]), peak_log_e=float(state["peak"]))

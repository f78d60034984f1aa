"""Tests shadowed queries, which both samplers answered: whether the candidate was worse more often than better."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from math import log
from typing import Any, Self

from scipy.special import betainc, betaln

from pitwall_operator.evidence.basis.counts import NO_PAIRS, Counts, Pairs
from pitwall_operator.evidence.basis.null_boundary import Claim
from pitwall_operator.evidence.basis.process import State

FLOOR = -700.0
"""Below this a log e-value only says "none"; the counts are kept, so it can still rise again."""


def log_e_of_majority(for_: int, against: int) -> float:
    """Evidence that a coin favors `for_`, given both counts; null: share ≤ 1/2, any order, any stopping time.

    Beta(½, ½) mixture restricted to shares above ½:
    ln B(u+½, d+½) + ln P(Beta(u+½, d+½) > ½) − ln B(½, ½) + (u + d + 1) ln 2.
    """
    tail = float(betainc(against + 0.5, for_ + 0.5, 0.5))
    if tail <= 0:
        return FLOOR
    mixture = float(betaln(for_ + 0.5, against + 0.5) - betaln(0.5, 0.5)) + log(tail)
    return max(FLOOR, mixture + (for_ + against + 1) * log(2))


class Against(StrEnum):
    """What the pairs in which the candidate was worse are held against."""

    BETTER = "better"
    NOT_WORSE = "not-worse"

    def opposite(self, pairs: Pairs) -> int:
        """How many pairs speak for the candidate."""
        return pairs.better if self is Against.BETTER else pairs.total - pairs.worse


@dataclass(frozen=True, slots=True)
class PairedProcess:
    """Harm: more pairs are worse than speak for the candidate. Non-inferiority: more speak for it than are worse."""

    claim: Claim
    against: Against
    seen: Pairs = NO_PAIRS
    peak_log_e: float = 0.0

    @property
    def log_e(self) -> float:
        """Natural logarithm of the evidence now."""
        worse, opposite = self.seen.worse, self.against.opposite(self.seen)
        return log_e_of_majority(*((worse, opposite) if self.claim is Claim.HARM else (opposite, worse)))

    def update(self, counts: Counts) -> Self:
        """The process after one more block."""
        seen = replace(self, seen=self.seen + counts.pairs)
        return replace(seen, peak_log_e=max(self.peak_log_e, seen.log_e))

    def to_state(self) -> State:
        """The numbers that carry it over a restart."""
        return {"pairs": [self.seen.total, self.seen.worse, self.seen.better], "peak": repr(self.peak_log_e)}

    def restored(self, state: Mapping[str, Any]) -> Self:
        """This process with the numbers of `to_state`."""
        return replace(self, seen=Pairs(*state["pairs"]), peak_log_e=float(state["peak"]))

"""Tests block means: whether the candidate's mean is beyond a boundary, even if queries inside a block are correlated.

Asymptotic. One number per block, so trials of a block may depend on each other. Waudby-Smith et al. (arXiv 2103.06476)
in the self-normalized form: the sum of squares stands for the variance, which only makes it more careful. Where nothing
bad happens, blocks seem not to vary at all; so beside a boundary that is a difference of rates the variance of
independent trials on that boundary counts as the least, lest thirty blocks of one query each prove a rate below 2 %.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from math import log, sqrt
from typing import Any, Self

from scipy.special import log_ndtr

from pitwall_operator.evidence.basis.counts import Counts, Tally
from pitwall_operator.evidence.basis.null_boundary import Claim, NullBoundary
from pitwall_operator.evidence.basis.process import State

BURN_IN = 30
"""Blocks before the normal approximation is trusted."""
EXPECTED_BLOCKS = 30.0
"""Where the mixture is tightest."""


class Measure(StrEnum):
    """What is averaged."""

    RATE = "rate"
    MEAN = "mean"


def log_e_of_drift(total: float, squares: float, blocks: int) -> float:
    """Evidence that increments drift upward: one-sided normal mixture of the standardized sum; 0 during burn-in."""
    if blocks < BURN_IN or squares <= 0:
        return 0.0
    spread = blocks + EXPECTED_BLOCKS
    score = total / sqrt(squares / blocks)
    density = 0.5 * log(EXPECTED_BLOCKS / spread) + score * score / (2 * spread)
    return log(2) + density + float(log_ndtr(score / sqrt(spread)))


@dataclass(frozen=True, slots=True)
class ContrastProcess:
    """The running sum of weighted differences between the candidate's block mean and the boundary."""

    boundary: NullBoundary
    claim: Claim
    measure: Measure
    total: float = 0.0
    squares: float = 0.0
    blocks: int = 0
    peak_log_e: float = 0.0
    least_squares: float = 0.0

    @property
    def log_e(self) -> float:
        """Natural logarithm of the evidence now."""
        return log_e_of_drift(self.total, self.variance, self.blocks)

    @property
    def variance(self) -> float:
        """Sum over blocks of what a gain may vary."""
        return max(self.squares, self.least_squares)

    def update(self, counts: Counts) -> Self:
        """The process after one more block; one in which an arm had no trials is skipped."""
        if not (counts.control.trials and counts.candidate.trials):
            return self
        gain = self._gain(counts.control, counts.candidate)
        after = replace(
            self,
            total=self.total + gain,
            squares=self.squares + gain * gain,
            least_squares=self.least_squares + self._least(counts.control, counts.candidate),
            blocks=self.blocks + 1,
        )
        return replace(after, peak_log_e=max(self.peak_log_e, after.log_e))

    def _gain(self, control: Tally, candidate: Tally) -> float:
        """Distance from the boundary in the claim's direction, weighted by the harmonic mean of the arms' trials."""
        distance = _weight(control, candidate) * (self._value(candidate) - self.boundary.height(self._value(control)))
        return distance if self.claim is Claim.HARM else -distance

    def _least(self, control: Tally, candidate: Tally) -> float:
        """Variance of a gain on the boundary if the control is perfect and trials are independent; 0 for ratios."""
        offset = self.boundary.offset if self.measure is Measure.RATE else 0.0
        return _weight(control, candidate) ** 2 * offset * (1 - offset) / candidate.trials

    def _value(self, tally: Tally) -> float:
        return tally.rate if self.measure is Measure.RATE else tally.mean

    def to_state(self) -> State:
        """The numbers that carry it over a restart."""
        return {
            "total": repr(self.total),
            "squares": repr(self.squares),
            "least": repr(self.least_squares),
            "blocks": self.blocks,
            "peak": repr(self.peak_log_e),
        }

    def restored(self, state: Mapping[str, Any]) -> Self:
        """This process with the numbers of `to_state`."""
        return replace(
            self,
            total=float(state["total"]),
            squares=float(state["squares"]),
            least_squares=float(state.get("least", "0.0")),
            blocks=state["blocks"],
            peak_log_e=float(state["peak"]),
        )


def _weight(control: Tally, candidate: Tally) -> float:
    return 2 * control.trials * candidate.trials / (control.trials + candidate.trials)

"""Tests whether the candidate's rate of bad trials is beyond a boundary, for yes/no trials that are independent.

Turner, Ly & Grünwald (arXiv 2106.02693) and Turner & Grünwald (2203.09785): before each block choose an alternative
from the past only, project it onto the null, multiply the likelihood ratios. Rates may drift; the null need only hold
block by block, so evidence survives changing weights, stages and restarts.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from pitwall_operator.evidence.basis.counts import NO_TRIALS, Counts, Tally
from pitwall_operator.evidence.basis.null_boundary import Claim, NullBoundary, log_likelihood_ratio
from pitwall_operator.evidence.basis.portfolio import Portfolio, PortfolioProcess
from pitwall_operator.evidence.basis.process import State

HARM_ODDS = (1.25, 1.5, 2.0, 3.0, 5.0, 10.0)
"""Alternatives of harm: the odds on the boundary times these."""
NON_INFERIOR_WAY = (0.0, 0.4)
"""Alternatives of non-inferiority: this share of the way from equality to the boundary."""
ALMOST_ONE = 1 - 1e-9


@dataclass(frozen=True, slots=True)
class Prior:
    """A guess of the control's rate worth `trials` trials. It moves power, never validity."""

    rate: float
    trials: float


@dataclass(frozen=True, slots=True)
class BernoulliProcess(PortfolioProcess):
    """A portfolio of one plug-in and several fixed alternatives against the null on the other side of the boundary."""

    boundary: NullBoundary
    claim: Claim
    prior: Prior
    bets: Portfolio
    control: Tally = NO_TRIALS
    candidate: Tally = NO_TRIALS

    @classmethod
    def start(cls, boundary: NullBoundary, claim: Claim, prior: Prior) -> Self:
        """The process before the first block."""
        fixed = HARM_ODDS if claim is Claim.HARM else NON_INFERIOR_WAY
        return cls(boundary, claim, prior, Portfolio.of(1 + len(fixed)))

    def update(self, counts: Counts) -> Self:
        """The process after one more block; the block's alternatives come from the blocks before it."""
        if not counts.reference.trials + counts.candidate.trials:
            return self
        control = self._control_rate()
        gains = [self._log_factor(counts, control, candidate) for candidate in self._alternatives(control)]
        return replace(
            self,
            # harm may begin at any time, so bets must be ready for it; innocence is a matter of the whole record
            bets=self.bets.after(gains, spread=self.claim is Claim.HARM),
            control=_without_values(self.control + counts.reference),
            candidate=_without_values(self.candidate + counts.candidate),
        )

    def _control_rate(self) -> float:
        guess = self.prior
        return (self.control.bad + guess.trials * guess.rate) / (self.control.trials + guess.trials)

    def _alternatives(self, control: float) -> list[float]:
        """Candidate rates to bet on: where it was so far, then the fixed ones."""
        seen = self.candidate
        plug_in = (seen.bad + self.prior.trials * control) / (seen.trials + self.prior.trials)
        height = self.boundary.height(control)
        if self.claim is Claim.HARM:
            base = min(height, ALMOST_ONE)
            return [plug_in, *(odds * base / (1 - base + odds * base) for odds in HARM_ODDS)]
        return [plug_in, *(min(control + way * (height - control), ALMOST_ONE) for way in NON_INFERIOR_WAY)]

    def _log_factor(self, counts: Counts, control: float, candidate: float) -> float:
        """Log likelihood ratio of the block, 0 where the alternative is itself in the null."""
        a, b = counts.reference, counts.candidate
        if not self.boundary.is_proven_side(self.claim, control, candidate):
            return 0.0
        null_control, null_candidate = self.boundary.project((a.trials, b.trials), control, candidate)
        return log_likelihood_ratio(a.trials, a.bad, control, null_control) + log_likelihood_ratio(
            b.trials, b.bad, candidate, null_candidate
        )

    def to_state(self) -> State:
        """The numbers that carry it over a restart."""
        arms = [self.control.trials, self.control.bad, self.candidate.trials, self.candidate.bad]
        return {"arms": arms, **self.bets.to_state()}

    def restored(self, state: Mapping[str, Any]) -> Self:
        """This process with the numbers of `to_state`."""
        arms = state["arms"]
        return replace(
            self,
            control=Tally(arms[0], arms[1]),
            candidate=Tally(arms[2], arms[3]),
            bets=Portfolio.from_state(state),
        )


def _without_values(tally: Tally) -> Tally:
    return Tally(tally.trials, tally.bad)

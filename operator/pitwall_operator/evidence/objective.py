"""Tests the candidate's rate of bad trials against a fixed limit (a service-level objective), without any control.

There is no control to take the blame for a bad minute: what the whole service suffers counts against the candidate.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import log1p
from typing import Any, Self

from pitwall_operator.evidence.basis.counts import Counts
from pitwall_operator.evidence.basis.null_boundary import Claim, log_likelihood_ratio
from pitwall_operator.evidence.basis.portfolio import Portfolio, PortfolioProcess
from pitwall_operator.evidence.basis.process import State
from pitwall_operator.evidence.bernoulli import HARM_ODDS

STAKES = {Claim.HARM: (0.01, 0.05, 0.2, 0.5, 0.9), Claim.NON_INFERIOR: (0.5, 0.98)}
"""Shares of the wealth that a bet on a block may lose at most; a block that is bad throughout is rare, so to prove that
few are bad nearly everything may be staked."""
ON_ODDS = Portfolio.of(len(HARM_ODDS))
ON_STAKES = {claim: Portfolio.of(len(stakes)) for claim, stakes in STAKES.items()}


@dataclass(frozen=True, slots=True)
class ObjectiveBets(PortfolioProcess):
    """A portfolio of bets that the rate is beyond the limit, in the claim's direction."""

    limit: float
    claim: Claim
    bets: Portfolio

    def __post_init__(self) -> None:
        if not 0 < self.limit < 1:
            raise ValueError(f"an objective needs a limit above 0 and below 1, got {self.limit}")


@dataclass(frozen=True, slots=True)
class ObjectiveProcess(ObjectiveBets):
    """A portfolio over fixed odds of likelihood ratios against the limit. Exact where trials are independent.

    The factor of one trial is linear in the true rate and 1 at the limit, so it is at most 1 on the null's side of it.
    """

    @classmethod
    def start(cls, limit: float, claim: Claim) -> Self:
        """The process before the first block."""
        return cls(limit, claim, ON_ODDS)

    def update(self, counts: Counts) -> Self:
        """The process after one more block of the candidate."""
        tally = counts.objective
        if not tally.trials:
            return self
        is_harm = self.claim is Claim.HARM
        odds = HARM_ODDS if is_harm else tuple(1 / odds for odds in HARM_ODDS)
        rates = (ratio * self.limit / (1 - self.limit + ratio * self.limit) for ratio in odds)
        gains = [log_likelihood_ratio(tally.trials, tally.bad, rate, self.limit) for rate in rates]
        return replace(self, bets=self.bets.after(gains, spread=is_harm))

    def to_state(self) -> State:
        """The numbers that carry it over a restart."""
        return self.bets.to_state()

    def restored(self, state: Mapping[str, Any]) -> Self:
        """This process with the numbers of `to_state`."""
        return replace(self, bets=Portfolio.from_state(state))


@dataclass(frozen=True, slots=True)
class ObjectiveBlocks(ObjectiveBets):
    """Bets on a block's bad share, which lies between 0 and 1: Waudby-Smith & Ramdas (arXiv 2010.09686).

    Fair whatever the correlation inside a block, from the first block on and for the rarest events, because a block is
    one draw however many trials it holds. That is also its price: a limit of 1 % is proven by some 400 clean blocks.
    A block with few trials is bet on with a part of the stake, so that it does not count as much as a large one.
    """

    largest: int = 0

    @classmethod
    def start(cls, limit: float, claim: Claim) -> Self:
        """The process before the first block."""
        return cls(limit, claim, ON_STAKES[claim])

    def update(self, counts: Counts) -> Self:
        """The process after one more block of the candidate; one without trials is skipped."""
        tally = counts.objective
        if not tally.trials:
            return self
        is_harm = self.claim is Claim.HARM
        largest = max(self.largest, tally.trials)
        gains = [log1p(stake * tally.trials / largest * self.odds(tally.rate)) for stake in STAKES[self.claim]]
        return replace(self, bets=self.bets.after(gains, spread=is_harm), largest=largest)

    def odds(self, rate: float) -> float:
        """What one unit of stake wins on a block with this bad share; -1 at worst, 0 at the limit."""
        beyond = rate - self.limit
        return beyond / self.limit if self.claim is Claim.HARM else -beyond / (1 - self.limit)

    def to_state(self) -> State:
        """The numbers that carry it over a restart."""
        return {"largest": self.largest, **self.bets.to_state()}

    def restored(self, state: Mapping[str, Any]) -> Self:
        """This process with the numbers of `to_state`."""
        return replace(self, bets=Portfolio.from_state(state), largest=state["largest"])

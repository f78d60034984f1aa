"""Bad events of two equal-size arms in, evidence that the candidate's arm is worse out, however blocks are correlated.

If the candidate is harmless, which arm of a block is called candidate is a fair coin, whatever happened inside the
block: bursts, queues, stalls. So a bet on any antisymmetric score of the block is fair. A margin ρ is removed by
thinning: keep each of the candidate's bad events with probability 1/ρ. A larger arm is thinned to the smaller one's
size. Instead of tossing coins for that, the factor is averaged over all outcomes; a mean of fair bets is a fair bet.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from math import ceil, copysign, exp, floor, lgamma, log, log1p, sqrt, tanh
from typing import Any, Self

from pitwall_operator.evidence.counts import Counts
from pitwall_operator.evidence.portfolio import Portfolio
from pitwall_operator.evidence.process import State

TILT_ODDS = (1.25, 1.5, 2.0, 3.0, 5.0)
"""Bets that would be optimal if trials were independent and the odds of a bad one this much higher."""
SIGN_STAKES = (0.2, 0.5, 0.9)
"""Bets on the sign alone: what is left when a block's size of difference means nothing."""
LARGEST_STAKE = 0.999
"""Never stake everything: one lucky block must not end a bet."""
Bet = Callable[[int], float]


def tilt(difference: int, log_odds: float) -> float:
    """Stake of the likelihood ratio between a labelling and its swap: tanh(½ ln(odds) · difference)."""
    return LARGEST_STAKE * tanh(log_odds / 2 * difference)


def sign(difference: int, stake: float) -> float:
    """The same stake on whichever arm had more bad events; nothing on a tie."""
    return copysign(stake, difference) if difference else 0.0


BETS: tuple[Bet, ...] = (
    *(partial(tilt, log_odds=log(odds)) for odds in TILT_ODDS),
    *(partial(sign, stake=stake) for stake in SIGN_STAKES),
)


def thinned(events: int, keep: float) -> dict[int, float]:
    """Distribution of how many events remain if each is kept with this probability, without its farthest tails."""
    if keep >= 1 or events == 0:
        return {events: 1.0}
    reach = 8 * sqrt(events * keep * (1 - keep)) + 8
    low, high = max(0, floor(events * keep - reach)), min(events, ceil(events * keep + reach))
    return {kept: _binomial(events, kept, keep) for kept in range(low, high + 1)}


def _binomial(events: int, kept: int, keep: float) -> float:
    choose = lgamma(events + 1) - lgamma(kept + 1) - lgamma(events - kept + 1)
    return exp(choose + kept * log(keep) + (events - kept) * log1p(-keep))


def differences(counts: Counts, ratio: float) -> dict[int, float]:
    """Distribution of (candidate − control) bad events after thinning both arms to one size and the margin away."""
    a, b = counts.control, counts.candidate
    size = min(a.trials, b.trials)
    control = thinned(a.bad, size / a.trials)
    spread: dict[int, float] = {}
    for kept, chance in thinned(b.bad, size / b.trials / ratio).items():
        for other, weight in control.items():
            spread[kept - other] = spread.get(kept - other, 0.0) + chance * weight
    return spread


EVEN_STAKES = Portfolio.of(len(BETS))


@dataclass(frozen=True, slots=True)
class ExchangeProcess:
    """A portfolio of fair bets against: the candidate's blocks are at most `ratio` times as bad as the control's."""

    ratio: float = 1.0
    bets: Portfolio = EVEN_STAKES

    @property
    def log_e(self) -> float:
        """Natural logarithm of the evidence now."""
        return self.bets.log_e

    @property
    def peak_log_e(self) -> float:
        """The largest log_e ever."""
        return self.bets.peak_log_e

    def update(self, counts: Counts) -> Self:
        """The process after one more block; without trials in an arm, or without a bad event, nothing is learned."""
        if not (counts.control.trials and counts.candidate.trials and counts.control.bad + counts.candidate.bad):
            return self
        spread = differences(counts, self.ratio).items()
        # the tails that were left out count as lost
        gains = [log(sum(chance * (1 + bet(difference)) for difference, chance in spread)) for bet in BETS]
        return replace(self, bets=self.bets.after(gains))

    def to_state(self) -> State:
        """The numbers that carry it over a restart."""
        return self.bets.to_state()

    def restored(self, state: Mapping[str, Any]) -> Self:
        """This process with the numbers of `to_state`."""
        return replace(self, bets=Portfolio.from_state(state))

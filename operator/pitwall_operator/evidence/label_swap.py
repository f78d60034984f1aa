"""Permutation test of whether the candidate has more bad events than the control, valid however a block is correlated.

If the candidate is harmless, which arm of a block is called candidate is a fair coin, whatever happened inside the
block: bursts, queues, stalls. So a bet on any antisymmetric score of the block is fair. A margin ρ is removed by
thinning: keep each of the candidate's bad events with probability 1/ρ. Of a larger arm only as many trials count as the
smaller has. Instead of drawing them, the factor is averaged over all draws; a mean of fair bets is a fair bet.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from math import ceil, copysign, floor, log, log1p, sqrt, tanh
from typing import Any, Final, Self

import numpy as np
from scipy.special import gammaln

from pitwall_operator.evidence.basis.counts import Counts, Tally
from pitwall_operator.evidence.basis.portfolio import Portfolio, PortfolioProcess
from pitwall_operator.evidence.basis.process import State

TILT_ODDS = (1.25, 1.5, 2.0, 3.0, 5.0)
"""Bets that would be optimal if trials were independent and the odds of a bad one this much higher."""
SIGN_STAKES = (0.2, 0.5, 0.9)
"""Bets on the sign alone: what is left when a block's size of difference means nothing."""
SIZE_STAKES = (0.5, 0.9)
"""Bets in proportion to the difference, up to the largest one seen so far: for bad events that come in heaps, where few
blocks decide the mean."""
LARGEST_STAKE = 0.999
"""Never stake everything: one lucky block must not end a bet."""
MOST_TRIALS: Final = 100_000
"""Of each arm in a block: beyond that it says all that a coin can pay for, and the arithmetic would take minutes."""
_POPULATION: Final = 100_000_000
"""Trials to draw from: of more the rate is all that matters, and logarithms of factorials lose their digits."""
Bet = Callable[[int], float]


def tilt(difference: int, log_odds: float) -> float:
    """Stake of the likelihood ratio between a labelling and its swap: tanh(½ ln(odds) · difference)."""
    return LARGEST_STAKE * tanh(log_odds / 2 * difference)


def sign(difference: int, stake: float) -> float:
    """The same stake on whichever arm had more bad events; nothing on a tie."""
    return copysign(stake, difference) if difference else 0.0


def size(difference: int, stake: float, largest: int) -> float:
    """A stake in proportion to the difference; nothing before any difference was seen."""
    return stake * max(-1.0, min(1.0, difference / largest)) if largest else 0.0


BETS: tuple[Bet, ...] = (
    *(partial(tilt, log_odds=log(odds)) for odds in TILT_ODDS),
    *(partial(sign, stake=stake) for stake in SIGN_STAKES),
)


@dataclass(frozen=True, slots=True)
class Likely:
    """How likely each of some whole numbers in a row is, the first of which is `lowest`."""

    lowest: int
    chances: np.ndarray

    def items(self) -> list[tuple[int, float]]:
        """Each number and its chance."""
        return list(enumerate(self.chances.tolist(), self.lowest))


def thinned(events: int, keep: float) -> Likely:
    """Distribution of how many events remain if each is kept with this probability (binomial)."""
    if keep >= 1 or events == 0:
        return Likely(events, np.ones(1))
    kept = _near(events * keep, events * keep * (1 - keep), 0, events)
    logs = _log_choose(events, kept) + kept * log(keep) + (events - kept) * log1p(-keep)
    return Likely(int(kept[0]), np.exp(logs))


def sampled(tally: Tally, size: int) -> Likely:
    """Distribution of the bad events among so many of the tally's trials, drawn at random (hypergeometric)."""
    if size == tally.trials:
        return Likely(tally.bad, np.ones(1))
    if tally.trials > _POPULATION:
        tally = Tally(_POPULATION, round(_POPULATION * tally.rate))
    good = tally.trials - tally.bad
    spread = size * tally.rate * (1 - tally.rate) * (tally.trials - size) / max(tally.trials - 1, 1)
    drawn = _near(size * tally.rate, spread, max(0, size - good), min(size, tally.bad))
    logs = _log_choose(tally.bad, drawn) + _log_choose(good, size - drawn) - _log_choose(tally.trials, size)
    return Likely(int(drawn[0]), np.exp(logs))


def _near(mean: float, variance: float, lowest: int, highest: int) -> np.ndarray:
    """Whole numbers within six standard deviations and six: all but some 1e-9 of the distribution."""
    reach = 6 * sqrt(variance) + 6
    return np.arange(max(lowest, floor(mean - reach)), min(highest, ceil(mean + reach)) + 1)


def _log_choose(total: int, chosen: int | np.ndarray) -> np.ndarray:
    logs: np.ndarray = gammaln(total + 1) - gammaln(chosen + 1) - gammaln(total - chosen + 1)
    return logs


def differences(counts: Counts, ratio: float) -> Likely:
    """Distribution of (candidate − control) bad events, at one size for both arms and with the margin thinned away."""
    size = min(counts.control.trials, counts.candidate.trials, MOST_TRIALS)
    control, candidate = sampled(counts.control, size), sampled(counts.candidate, size)
    left = [(thinned(events, 1 / ratio), chance) for events, chance in candidate.items()]
    lowest = min(kept.lowest for kept, _ in left)
    chances = np.zeros(max(kept.lowest + len(kept.chances) for kept, _ in left) - lowest)
    for kept, chance in left:
        chances[kept.lowest - lowest :][: len(kept.chances)] += chance * kept.chances
    highest_of_control = control.lowest + len(control.chances) - 1
    return Likely(lowest - highest_of_control, np.convolve(chances, control.chances[::-1]))


@lru_cache(maxsize=65_536)
def _spread(control: Tally, candidate: Tally, ratio: float) -> tuple[tuple[int, float], ...]:
    """`differences` as pairs of plain numbers; most blocks of a night look like another one."""
    return tuple(differences(Counts(control, candidate), ratio).items())


@lru_cache(maxsize=65_536)
def _steady_gains(control: Tally, candidate: Tally, ratio: float) -> tuple[float, ...]:
    """Logarithms of the factors of the bets that do not depend on what was seen before. The tails that were left out of
    the distribution count as lost."""
    spread = _spread(control, candidate, ratio)
    return tuple(log(sum(chance * (1 + bet(difference)) for difference, chance in spread)) for bet in BETS)


EVEN_STAKES = Portfolio.of(len(BETS) + len(SIZE_STAKES))


@dataclass(frozen=True, slots=True)
class LabelSwapProcess(PortfolioProcess):
    """A portfolio of fair bets. Null: in each block, swapping the arms' labels changes nothing once the candidate's bad
    events are thinned by `ratio`."""

    ratio: float = 1.0
    bets: Portfolio = EVEN_STAKES
    largest: int = 0

    def update(self, counts: Counts) -> Self:
        """The process after one more block; without trials in an arm, or without a bad event, nothing is learned."""
        control, candidate = _without_value(counts.control), _without_value(counts.candidate)
        if not (control.trials and candidate.trials and control.bad + candidate.bad):
            return self
        steady = _steady_gains(control, candidate, self.ratio)
        spread = _spread(control, candidate, self.ratio)
        sized = tuple(
            log(sum(chance * (1 + size(difference, stake, self.largest)) for difference, chance in spread))
            for stake in SIZE_STAKES
        )
        likeliest = max(spread, key=lambda pair: pair[1])[0]
        return replace(self, bets=self.bets.after((*steady, *sized)), largest=max(self.largest, abs(likeliest)))

    def to_state(self) -> State:
        """The numbers that carry it over a restart."""
        return {"largest": self.largest, **self.bets.to_state()}

    def restored(self, state: Mapping[str, Any]) -> Self:
        """This process with the numbers of `to_state`."""
        return replace(self, bets=Portfolio.from_state(state), largest=state["largest"])


def _without_value(tally: Tally) -> Tally:
    return Tally(tally.trials, tally.bad)


MEAN_STAKES = Portfolio.of(len(SIGN_STAKES))


@dataclass(frozen=True, slots=True)
class MeanSwapProcess(PortfolioProcess):
    """Fair bets on which arm's block mean is larger. Null: the arms are exchangeable once the candidate's mean is
    divided by `ratio`. A heavy tail cannot break it, since only the sign is looked at."""

    ratio: float = 1.0
    bets: Portfolio = MEAN_STAKES

    def update(self, counts: Counts) -> Self:
        """The process after one more block; without trials in an arm nothing is learned."""
        control, candidate = counts.control, counts.candidate
        if not (control.trials and candidate.trials):
            return self
        difference = candidate.mean / self.ratio - control.mean
        direction = (difference > 0) - (difference < 0)
        return replace(self, bets=self.bets.after([log1p(sign(direction, stake)) for stake in SIGN_STAKES]))

    def to_state(self) -> State:
        """The numbers that carry it over a restart."""
        return self.bets.to_state()

    def restored(self, state: Mapping[str, Any]) -> Self:
        """This process with the numbers of `to_state`."""
        return replace(self, bets=Portfolio.from_state(state))

"""Pitwall's processes for many runs at once: the formulas of `pitwall_operator.evidence`, in numpy.

`tests/operator/evidence/benchmark/test_canary_policies.py` holds them equal to the scalar ones, block by block.
"""

import numpy as np
from scipy.special import log_ndtr, logsumexp, xlog1py, xlogy

from pitwall_crds.rollout.gate import Dependence
from pitwall_operator.evidence.basis.null_boundary import BISECTIONS, TINY, Claim, NullBoundary
from pitwall_operator.evidence.basis.portfolio import FIRST_ROUNDS
from pitwall_operator.evidence.bernoulli import ALMOST_ONE, HARM_ODDS, NON_INFERIOR_WAY, Prior
from pitwall_operator.evidence.contrast import BURN_IN, EXPECTED_BLOCKS
from pitwall_operator.evidence.label_swap import BETS, SIZE_STAKES, thinned
from pitwall_operator.evidence.objective import STAKES, ObjectiveBlocks

TABLE = 400
"""Counts per block up to which the label-swap process looks its factors up."""


class PortfolioVector:
    """Wealth per bet and run."""

    def __init__(self, bets: int, runs: int, *, spread: bool) -> None:
        self.logs = np.zeros((bets + 1, runs))
        self.rounds = np.zeros(runs)
        self.log_e = np.zeros(runs)
        self.spread = spread

    def after(self, gains: np.ndarray, active: np.ndarray) -> None:
        """One round in the runs that are active."""
        grown = self.logs + np.concatenate([np.zeros((1, gains.shape[1])), gains])
        mean = logsumexp(grown, axis=0) - np.log(len(grown))
        if self.spread:
            part = 1 / (self.rounds + FIRST_ROUNDS)
            grown = mean + np.log((1 - part) * np.exp(grown - mean) + part)
        self.logs = np.where(active, grown, self.logs)
        self.log_e = np.where(active, mean, self.log_e)
        self.rounds += active

    def restart(self, runs: np.ndarray) -> None:
        """Begin anew in these runs."""
        self.logs[:, runs], self.rounds[runs], self.log_e[runs] = 0.0, 0.0, 0.0


class Bernoulli:
    """Twin of BernoulliProcess."""

    def __init__(self, boundary: NullBoundary, claim: Claim, prior: Prior, runs: int) -> None:
        self.boundary, self.claim, self.prior = boundary, claim, prior
        fixed = HARM_ODDS if claim is Claim.HARM else NON_INFERIOR_WAY
        self.bets = PortfolioVector(1 + len(fixed), runs, spread=claim is Claim.HARM)
        self.seen = np.zeros((4, runs))

    @property
    def log_e(self):
        """Per run."""
        return self.bets.log_e

    def update(self, trials, control, candidate, control_trials=None) -> None:
        """One block; arms are of equal size unless the control's trials are given, too."""
        control_trials = trials if control_trials is None else control_trials
        guess = self.prior
        rate = (self.seen[1] + guess.trials * guess.rate) / (self.seen[0] + guess.trials)
        plug_in = (self.seen[3] + guess.trials * rate) / (self.seen[2] + guess.trials)
        star = np.stack([plug_in, *self._fixed(rate)])
        height = self.boundary.height(rate)
        proven = star > height if self.claim is Claim.HARM else star < height
        base, above = self._project((control_trials, trials), rate, star)
        with np.errstate(divide="ignore", invalid="ignore"):
            gains = _ratio(control_trials, control, rate, base) + _ratio(trials, candidate, star, above)
        self.bets.after(np.where(proven, gains, 0.0), control_trials + trials > 0)
        self.seen += np.stack([control_trials, control, trials, candidate])

    def restart(self, runs) -> None:
        """Begin anew in these runs."""
        self.bets.restart(runs)
        self.seen[:, runs] = 0.0

    def _fixed(self, rate):
        height = self.boundary.height(rate)
        if self.claim is Claim.HARM:
            base = np.minimum(height, ALMOST_ONE)
            return [odds * base / (1 - base + odds * base) for odds in HARM_ODDS]
        return [np.minimum(rate + way * (height - rate), ALMOST_ONE) for way in NON_INFERIOR_WAY]

    def _project(self, trials, rate, star):
        """Onto the boundary."""
        if self.boundary.offset:
            base = self._bisect(trials, rate, star)
        else:
            (n_a, n_b), ratio = trials, self.boundary.ratio
            linear = n_a * (1 + ratio * rate) + n_b * (ratio + star)
            constant = n_a * rate + n_b * star
            root = np.sqrt(np.maximum(linear**2 - 4 * ratio * (n_a + n_b) * constant, 0))
            base = 2 * constant / np.maximum(linear + root, TINY)
        return base, np.minimum(self.boundary.height(base), 1.0)

    def _bisect(self, trials, rate, star):
        top = 1 - self.boundary.offset - TINY
        low = np.clip(np.minimum(rate, star - self.boundary.offset), TINY, top)
        high = np.clip(np.maximum(rate, star - self.boundary.offset), TINY, top)
        for _ in range(BISECTIONS):
            middle = (low + high) / 2
            above = middle + self.boundary.offset
            slope = trials[0] * (rate - middle) / (middle * (1 - middle))
            slope = slope + trials[1] * (star - above) / (above * (1 - above))
            low, high = np.where(slope > 0, middle, low), np.where(slope > 0, high, middle)
        return (low + high) / 2


def _ratio(trials, bad, alternative, null):
    return xlogy(bad, alternative / null) + xlog1py(trials - bad, (null - alternative) / (1 - null))


class LabelSwapVector:
    """Twin of LabelSwapProcess for arms of equal size."""

    def __init__(self, ratio: float, runs: int) -> None:
        self.bets = PortfolioVector(len(BETS) + len(SIZE_STAKES), runs, spread=True)
        self.kept, self.table = _factors(ratio)
        self.likeliest = self.kept.argmax(axis=1)
        self.largest = np.zeros(runs, int)

    @property
    def log_e(self):
        """Per run."""
        return self.bets.log_e

    def update(self, trials, control, candidate) -> None:
        """One block."""
        if max(control.max(), candidate.max()) >= TABLE:
            raise ValueError(f"at most {TABLE - 1} bad events per block and arm can be looked up; use shorter blocks")
        active = (trials > 0) & (control + candidate > 0)
        gains = np.concatenate([self.table[:, candidate, control], self._sized(control, candidate)])
        self.bets.after(gains, active)
        difference = np.abs(self.likeliest[candidate] - control)
        self.largest = np.where(active, np.maximum(self.largest, difference), self.largest)

    def _sized(self, control, candidate):
        """Gains of the bets in proportion to the difference."""
        most = candidate.max() + 1
        difference = np.arange(most) - control[:, None]
        part = np.clip(difference / np.maximum(self.largest, 1)[:, None], -1, 1) * (self.largest > 0)[:, None]
        mean = (self.kept[candidate, :most] * part).sum(axis=1)
        return np.log(self.kept[candidate].sum(axis=1) + np.array(SIZE_STAKES)[:, None] * mean)


def _factors(ratio: float) -> tuple[np.ndarray, np.ndarray]:
    """How many of so many bad events are kept, and ln of each bet's factor by (candidate's, control's bad events)."""
    kept = np.zeros((TABLE, TABLE))
    for events in range(TABLE):
        for count, chance in thinned(events, 1 / ratio).items():
            kept[events, count] = chance
    factors = []
    for bet in BETS:
        by_difference = np.array([1 + bet(difference) for difference in range(-TABLE, TABLE + 1)])
        difference = np.arange(TABLE)[:, None] - np.arange(TABLE)[None, :]
        factors.append(np.log(kept @ by_difference[difference + TABLE]))
    return kept, np.stack(factors)


class GoodTrialsVector:
    """Twin of OfGoodTrials: good trials for bad ones, the arms in each other's place."""

    def __init__(self, process) -> None:
        self.process = process

    @property
    def log_e(self):
        """Per run."""
        return self.process.log_e

    def update(self, trials, control, candidate, control_trials=None) -> None:
        """One block."""
        if control_trials is None:
            self.process.update(trials, trials - candidate, trials - control)
        else:
            self.process.update(control_trials, trials - candidate, control_trials - control, trials)

    def restart(self, runs) -> None:
        """Begin anew in these runs."""
        self.process.restart(runs)


class BothVector:
    """Twin of BothProcess."""

    def __init__(self, first, second) -> None:
        self.first, self.second = first, second
        self.peak_log_e = np.zeros_like(first.log_e)

    @property
    def log_e(self):
        """Per run."""
        return np.minimum(self.first.log_e, self.second.log_e)

    def update(self, *block) -> None:
        """One block."""
        self.first.update(*block)
        self.second.update(*block)
        self.peak_log_e = np.maximum(self.peak_log_e, self.log_e)

    def restart(self, runs) -> None:
        """Begin anew in these runs."""
        self.first.restart(runs)
        self.second.restart(runs)
        self.peak_log_e[runs] = 0.0


class Contrast:
    """Twin of ContrastProcess on rates."""

    def __init__(self, boundary: NullBoundary, claim: Claim, runs: int) -> None:
        self.boundary, self.sign = boundary, 1.0 if claim is Claim.HARM else -1.0
        self.total, self.squares, self.least, self.blocks = (np.zeros(runs) for _ in range(4))

    @property
    def log_e(self):
        """Per run."""
        with np.errstate(divide="ignore", invalid="ignore"):
            variance = np.maximum(self.squares, self.least)
            score = self.total / np.sqrt(variance / self.blocks)
            spread = self.blocks + EXPECTED_BLOCKS
            density = 0.5 * np.log(EXPECTED_BLOCKS / spread) + score**2 / (2 * spread)
            value = np.log(2) + density + log_ndtr(score / np.sqrt(spread))
        return np.where((self.blocks >= BURN_IN) & (variance > 0), value, 0.0)

    def update(self, trials, control, candidate, control_trials=None) -> None:
        """One block; arms are of equal size unless the control's trials are given, too."""
        control_trials = trials if control_trials is None else control_trials
        offset, active = self.boundary.offset, (trials > 0) & (control_trials > 0)
        n_a, n_b = np.maximum(control_trials, 1), np.maximum(trials, 1)
        weight = 2 * n_a * n_b / (n_a + n_b) * active
        gain = self.sign * weight * (candidate / n_b - self.boundary.ratio * control / n_a - offset)
        self.total += gain
        self.squares += gain**2
        self.least += weight**2 * offset * (1 - offset) / n_b
        self.blocks += active

    def restart(self, runs) -> None:
        """Begin anew in these runs."""
        for numbers in (self.total, self.squares, self.least, self.blocks):
            numbers[runs] = 0.0


class ObjectiveVector:
    """Twin of ObjectiveProcess (Query) and ObjectiveBlocks (Block), for blocks of equal size."""

    def __init__(self, limit: float, claim: Claim, dependence: Dependence, runs: int) -> None:
        self.limit, self.claim, self.dependence = limit, claim, dependence
        bets = STAKES[claim] if dependence is Dependence.BLOCK else HARM_ODDS
        self.bets = PortfolioVector(len(bets), runs, spread=claim is Claim.HARM)
        self.block = ObjectiveBlocks.start(limit, claim)

    @property
    def log_e(self):
        """Per run."""
        return self.bets.log_e

    def update(self, trials, _control, candidate) -> None:
        """One block; nobody asks the control."""
        if self.dependence is Dependence.BLOCK:
            won = np.array([self.block.odds(rate) for rate in candidate / trials])
            gains = [np.log1p(stake * won) for stake in STAKES[self.claim]]
        else:
            odds = np.array(HARM_ODDS) if self.claim is Claim.HARM else 1 / np.array(HARM_ODDS)
            rates = odds * self.limit / (1 - self.limit + odds * self.limit)
            gains = [_ratio(trials, candidate, rate, self.limit) for rate in rates]
        self.bets.after(np.stack(gains), trials > 0)

"""Estimates how many more candidate trials a test needs, at the present rates, until it reaches its threshold."""

from math import ceil, log, log1p

from pitwall_operator.evidence.basis.counts import Counts, Tally
from pitwall_operator.evidence.basis.null_boundary import TINY, log_likelihood_ratio
from pitwall_operator.evidence.basis.process import EProcess
from pitwall_operator.evidence.bernoulli import BernoulliProcess
from pitwall_operator.evidence.clusters import UsersProcess
from pitwall_operator.evidence.conjunction import BothProcess
from pitwall_operator.evidence.contrast import BURN_IN, ContrastProcess, log_e_of_drift
from pitwall_operator.evidence.mixture import MeanProcess
from pitwall_operator.evidence.objective import STAKES, ObjectiveBlocks, ObjectiveProcess
from pitwall_operator.evidence.paired import PairedProcess
from pitwall_operator.evidence.views import AtWorst, Carried, InTime, OfGoodTrials, PairsAsArms, PairsAtWorst

NEVER = 10**9
"""Trials that nobody waits for."""

HORIZON = 2.0**20
"""More than this many times the trials so far is never."""


def missing_trials(process: EProcess, log_threshold: float, seen: Counts) -> int | None:
    """Candidate trials (or pairs) until the proof; 0 if it is there, None where the present rates lead nowhere."""
    if process.peak_log_e >= log_threshold:
        return 0
    match process:
        case UsersProcess() if process.withholds(log_threshold):
            return None
        case Carried() | UsersProcess():
            return missing_trials(process.process, log_threshold, seen)
        case PairsAsArms():
            return missing_trials(process.process, log_threshold, process.as_arms(seen.pairs))
        case OfGoodTrials() | AtWorst() | InTime() | PairsAtWorst():
            return missing_trials(process.process, log_threshold, process.shown(seen))
        case BothProcess():
            return _latest(*(missing_trials(one, log_threshold, seen) for one in (process.first, process.second)))
        case MeanProcess():
            return _first([missing_trials(one, log_threshold + log(len(process.parts)), seen) for one in process.parts])
    return _of_one(process, log_threshold, seen)


def _of_one(process: EProcess, log_threshold: float, seen: Counts) -> int | None:
    """The same for a process that stands for itself."""
    match process:
        case BernoulliProcess():
            return _by_growth(log_threshold - process.log_e, _split_growth(process, seen))
        case PairedProcess():
            return _by_growth(log_threshold - process.log_e, _pair_growth(seen))
        case ContrastProcess():
            return _by_scaling(process, log_threshold, seen.candidate.trials)
        case ObjectiveProcess() | ObjectiveBlocks():
            return _by_growth(log_threshold - process.log_e, _objective_growth(process, seen.objective))
    return None


def _latest(first: int | None, second: int | None) -> int | None:
    """When both are there; never if one is never."""
    return None if first is None or second is None else max(first, second)


def _first(parts: list[int | None]) -> int | None:
    """When the first of several is there, which is then worth its part of the mean."""
    return min((part for part in parts if part is not None), default=None)


def _by_growth(missing: float, growth: float) -> int | None:
    """Trials at a constant expected gain per trial; a gain that would take longer than anybody waits is none."""
    return ceil(missing / growth) if growth * NEVER > missing else None


def _split_growth(process: BernoulliProcess, seen: Counts) -> float:
    """KL divergence from the present rates to the boundary, per candidate trial; 0 on the wrong side."""
    control, candidate = _smooth(seen.reference), _smooth(seen.candidate)
    if seen.candidate.trials == 0 or not process.boundary.is_proven_side(process.claim, control, candidate):
        return 0.0
    trials = (seen.reference.trials, seen.candidate.trials)
    null_control, null_candidate = process.boundary.project(trials, control, candidate)
    divergence = trials[0] * _divergence(control, null_control) + trials[1] * _divergence(candidate, null_candidate)
    return divergence / seen.candidate.trials


def _pair_growth(seen: Counts) -> float:
    """Expected gain per pair of a bet at the present share of pairs that are not worse."""
    share = (seen.pairs.worse + 0.5) / (seen.pairs.total + 1)
    return log(2) + share * log(share) + (1 - share) * log(1 - share) if share < 0.5 else 0.0


def _objective_growth(process: ObjectiveProcess | ObjectiveBlocks, seen: Tally) -> float:
    """Expected gain per trial below the limit: the KL divergence, or that of the boldest bet on a block."""
    rate = _smooth(seen)
    if not seen.trials or rate >= process.limit:
        return 0.0
    if isinstance(process, ObjectiveProcess):
        return _divergence(rate, process.limit)
    return log1p(STAKES[process.claim][-1] * process.odds(rate)) / max(process.largest, 1)


def _by_scaling(process: ContrastProcess, log_threshold: float, trials: int) -> int | None:
    """Trials until the same drift, for longer, crosses the threshold: doubling, then bisection."""
    if process.total <= 0 or trials == 0:
        return None

    def is_enough(factor: float) -> bool:
        blocks = max(int(process.blocks * factor), 0)
        return log_e_of_drift(process.total * factor, process.variance * factor, blocks) >= log_threshold

    low, high = 1.0, max(2.0, BURN_IN / process.blocks)
    while not is_enough(high):
        low, high = high, high * 2
        if high > HORIZON:
            return None
    for _ in range(20):
        middle = (low + high) / 2
        low, high = (low, middle) if is_enough(middle) else (middle, high)
    missing = ceil((high - 1) * trials)
    return missing if missing < NEVER else None


def _smooth(tally: Tally) -> float:
    """The rate, never 0, and never 1, to which that of very many trials is rounded."""
    return min((tally.bad + 0.5) / (tally.trials + 1), 1 - TINY)


def _divergence(rate: float, null: float) -> float:
    """KL divergence of one trial, in nats."""
    return rate * log_likelihood_ratio(1, 1, rate, null) + (1 - rate) * log_likelihood_ratio(1, 0, rate, null)

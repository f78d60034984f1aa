"""Imagines what a gate would count, block by block, at given traffic if the candidate were so many times as bad.

Pure and reproducible: numbers of trials and of bad ones are drawn at points that fill their distributions evenly
(Sobol's sequence), so that blocks vary as real ones do and their sums are the expected ones.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from math import log
from typing import Any, Final

import numpy as np
from scipy.special import bdtr, bdtrik, ndtr, ndtri, pdtr, pdtrik

from pitwall_crds.rollout.gate import Gate, RateMetric, Unit
from pitwall_operator.evidence.basis.counts import Counts, EdgeTallies, Pairs, Tally
from pitwall_operator.gates.counting import sobol
from pitwall_operator.gates.counting.blocks import label_delay
from pitwall_operator.gates.processes import RATE_PRIORS, further_edges

TRIALS_PER_QUESTION: Final = {Unit.QUERY: 1.0, Unit.SESSION: 0.3, Unit.USER: 0.2}
"""Assumed where it was not measured."""
CLICKS: Final = 0.1
"""Assumed share of those asked for their thumbs who give one."""
SPREAD: Final = 0.5
"""Assumed standard deviation of the logarithm of a query's time: p99 is three times p50."""
PAIR_SPREAD: Final = 0.3
"""Assumed standard deviation of the logarithm of two times of the same question."""
OBJECTIVE_PART: Final = 0.5
"""Assumed part of what its objective allows that a healthy candidate uses up."""

BATCH: Final = 256
MANY: Final = 20.0
"""From so many trials a block on, how their number varies does not matter."""
FEW: Final = 3.0
"""Blocks with fewer trials an arm are put together, as evidence waits for so many anyhow."""
assert sobol.DIMENSIONS == 6, "trials and bad trials of three arms"

Numbers = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class GateNow:
    """What a gate counts of the stable variant at present.

    Attributes:
        bad_rate: share of bad trials, for a gate on a rate.
        trials_per_question: how often a question becomes a trial.
        label_delay: seconds from an answer until its trial is known.
        spread: standard deviation of the logarithm of times, or the relative one of values, for the other gates.
    """

    bad_rate: float
    trials_per_question: float
    label_delay: float = 0.0
    spread: float = SPREAD


@dataclass(frozen=True, slots=True)
class TrafficNow:
    """The stable variant's traffic; gates that are not named are assumed to be as usual.

    `block_seconds` is how long gateways would make blocks; 0 if they do not know.
    """

    questions_per_second: float
    gates: Mapping[str, GateNow] = field(default_factory=dict)
    block_seconds: float = 0.0

    def of(self, gate: Gate) -> GateNow:
        """What is known of one gate, or assumed."""
        return self.gates.get(gate.name) or assumed(gate)


@dataclass(frozen=True, slots=True)
class Flow:
    """Questions per second on each arm, and copies; `shared` as in Counts."""

    candidate: float
    control: float
    stable: float = 0.0
    copies: float = 0.0
    shared: bool = False


def assumed(gate: Gate) -> GateNow:
    """What is usual, for a gate of which nothing is known."""
    if gate.rate is None:
        return GateNow(0.0, 1.0)
    clicks = CLICKS if gate.rate.metric is RateMetric.THUMBS_DOWN else 1.0
    trials = TRIALS_PER_QUESTION[gate.rate.trial] * clicks if gate.is_about_answers else 1.0
    return GateNow(RATE_PRIORS[gate.rate.metric], trials, label_delay(gate))


def step_seconds(now: GateNow, flow: Flow, block_seconds: float) -> float:
    """Length of the imagined blocks: the real one, or several together while an arm has hardly a trial in one."""
    rate = now.trials_per_question * min(flow.candidate, flow.control) if flow.candidate else flow.copies
    return block_seconds * max(1, int(FEW / (rate * block_seconds))) if rate else block_seconds


def imagined(gate: Gate, now: GateNow, flow: Flow, factor: float, seconds: float) -> Iterator[Counts]:
    """Endless blocks of so many seconds, with a candidate `factor` times as bad."""
    for batch in itertools.count():
        index = np.arange(batch * BATCH + 1, (batch + 1) * BATCH + 1)
        points = sobol.points(index + BATCH - 1)
        if flow.copies:
            yield from _copies(gate, now, _trials(flow.copies * seconds, points[0], index), points[2], factor)
        else:
            per_question = now.trials_per_question * seconds
            arms = [
                _trials(questions * per_question, points[row], index)
                for row, questions in enumerate((flow.candidate, flow.control, flow.stable))
            ]
            yield from (_means if gate.mean else _split)(gate, now, flow, arms, points[3:], factor)


def _trials(expected: float, points: Numbers, index: Numbers) -> Numbers:
    if expected >= MANY or expected <= 0:
        return (np.floor(index * expected) - np.floor((index - 1) * expected)).astype(int)
    above = np.ceil(pdtrik(points, expected))
    return _first(points, above, lambda number: pdtr(number, expected))


def _bad(trials: Numbers, points: Numbers, rate: float) -> Numbers:
    tried, rate = np.maximum(trials, 1), min(max(rate, 0.0), 1.0)
    above = np.nan_to_num(np.ceil(bdtrik(points, tried, rate)))
    return np.clip(_first(points, above, lambda number: bdtr(number, tried, rate)), 0, trials)


def _first(points: Numbers, above: Numbers, below: Callable[[Numbers], Numbers]) -> Numbers:
    """The first number up to which a law has at least this share: the one found, or the one before it, since what was
    found is rounded up."""
    before = np.maximum(above - 1, 0)
    return np.where(below(before) >= points, before, above).astype(int)


def shares(gate: Gate, now: GateNow, factor: float) -> tuple[tuple[float, float], ...]:
    """Share of bad trials of control and candidate: at the gate's edge, then at its further ones.

    Times are taken as log-normal. The candidate's edge is higher by the margin; one that is slower by a factor has as
    many beyond it as the control has beyond an edge that is lower by this factor.
    """
    if gate.quantile is None:
        return ((now.bad_rate, min(now.bad_rate * factor, 1.0)),)
    room = log((1 + gate.margin_percent / 100) / factor) / max(now.spread, 1e-3)
    levels = (gate.quantile.per_mille, *further_edges(gate))
    return tuple((1 - level / 1000, float(ndtr(-ndtri(level / 1000) - room))) for level in levels)


def _objective_rate(gate: Gate, now: GateNow, factor: float) -> float:
    """Share of the candidate's trials that miss the objective: its rate, or an assumed part of what is allowed."""
    if gate.rate is not None:
        return now.bad_rate * factor
    return float(ndtr(ndtri(gate.objective * OBJECTIVE_PART) + log(factor) / max(now.spread, 1e-3)))


def _split(
    gate: Gate, now: GateNow, flow: Flow, arms: list[Numbers], points: Numbers, factor: float
) -> Iterator[Counts]:
    """Blocks of arms of which each trial is good or bad."""
    levels = [
        [_bad(trials, at, rate) for trials, at, rate in zip(arms, points, (tried, usual, usual), strict=True)]
        for usual, tried in shares(gate, now, factor)
    ]
    missed = _bad(arms[0], points[0], _objective_rate(gate, now, factor)) if gate.objective else None
    for row in range(BATCH):
        candidate, control, stable = (
            [Tally(int(trials[row]), int(level[arm][row])) for level in levels] for arm, trials in enumerate(arms)
        )
        edges = zip(control[1:], candidate[1:], stable[1:], strict=True)
        yield Counts(
            control[0],
            candidate[0],
            stable=stable[0],
            objective=Tally(int(arms[0][row]), int(missed[row])) if missed is not None else Tally(),
            shared=flow.shared,
            edges=tuple(EdgeTallies(*tallies) for tallies in edges),
        )


def _means(_: Gate, now: GateNow, flow: Flow, arms: list[Numbers], points: Numbers, factor: float) -> Iterator[Counts]:
    """Blocks of arms whose trials have values, of mean 1 for the stable sampler."""
    tallies = []
    for trials, at, mean in zip(arms, points, (factor, 1.0, 1.0), strict=True):
        noise = 1 + now.spread * ndtri(at) / np.sqrt(np.maximum(trials, 1))
        tallies.append([Tally(int(n), 0, float(n * mean * max(x, 0.0))) for n, x in zip(trials, noise, strict=True)])
    for candidate, control, stable in zip(*tallies, strict=True):
        yield Counts(control, candidate, stable=stable, shared=flow.shared)


def _copies(gate: Gate, now: GateNow, pairs: Numbers, points: Numbers, factor: float) -> Iterator[Counts]:
    """Blocks of a shadow's pairs."""
    worse, better = pair_shares(gate, now, factor)
    lost = _bad(pairs, points, worse)
    won = np.minimum(_bad(pairs, 1 - points, better), pairs - lost)
    for total, one, other in zip(pairs, lost, won, strict=True):
        yield Counts(pairs=Pairs(int(total), int(one), int(other)))


def pair_shares(gate: Gate, now: GateNow, factor: float) -> tuple[float, float]:
    """Shares of pairs in which a candidate is worse, or better, by the margin."""
    if gate.rate is not None:
        return min(now.bad_rate * factor, 1.0), 0.0
    margin = log(1 + max(gate.margin_percent, 5) / 100)
    return tuple(float(ndtr((sign * log(factor) - margin) / PAIR_SPREAD)) for sign in (1, -1))  # type: ignore[return-value]

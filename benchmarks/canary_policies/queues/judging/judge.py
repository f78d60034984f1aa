"""Counts of many runs come in; when each run flags its candidate off, or lets it pass, comes out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from benchmarks.canary_policies.policies.vectors import Bernoulli, BothVector, Contrast, GoodTrialsVector
from benchmarks.canary_policies.queues.counting.capped import LOOK_SECONDS
from benchmarks.canary_policies.queues.counting.counts import PER_MILLES
from benchmarks.canary_policies.queues.grid import Measured
from benchmarks.canary_policies.queues.judging.twins import (
    ArmsBlock,
    CarriedVector,
    MeanVector,
    OwnEdgeVector,
    SwapVector,
    TrialsVector,
    UsersVector,
)
from benchmarks.canary_policies.queues.simulate import QueueCounts

from pitwall_crds.rollout.gate import Dependence, Gate, QuantileMetric, QuantileRule, RateMetric, RateRule
from pitwall_crds.rollout.rollout import Analysis
from pitwall_operator.evidence.basis.null_boundary import Claim, NullBoundary
from pitwall_operator.evidence.bernoulli import Prior
from pitwall_operator.gates.budget import harm_log_threshold, promotion_log_threshold
from pitwall_operator.gates.processes import (
    BURST_MARGIN,
    LEAST_TRIALS,
    bernoulli_prior,
    harm_boundary,
    non_inferiority_boundary,
    quantile_prior,
)

NEVER = np.inf
GATES = {
    Measured.LATENCY: Gate(name="latency", quantile=QuantileRule(metric=QuantileMetric.QUERY_LATENCY)),
    Measured.ERRORS: Gate(name="errors", rate=RateRule(metric=RateMetric.ERRORS), absolute_margin_basis_points=200),
    Measured.THUMBS_DOWN: Gate(name="thumbs", rate=RateRule(metric=RateMetric.THUMBS_DOWN)),
    Measured.FOLLOW_UP: Gate(name="follow-up", rate=RateRule(metric=RateMetric.FOLLOW_UP)),
}
LATENCY = GATES[Measured.LATENCY]
THRESHOLD = harm_log_threshold(LATENCY, Analysis(gates=(LATENCY,)), "harm")
PASSING = promotion_log_threshold(Analysis(gates=(LATENCY,)))


@dataclass(frozen=True, slots=True)
class QueueReading:
    """Counts in blocks of so many steps. `shared`: stable is like the control, so single trials are compared with both;
    `warmup_seconds` are left out at the beginning."""

    counts: QueueCounts
    steps_per_block: int
    step_seconds: float
    shared: bool = False
    warmup_seconds: float = 0.0

    def told(self, now: float) -> np.ndarray | None:
        """What users differ by, as gateways say at this moment."""
        looks = self.counts.spreads
        return None if looks is None else looks[..., min(int(now / LOOK_SECONDS), looks.shape[-1] - 1)]

    def blocks(self, measured: Measured) -> Iterator[tuple[float, list[ArmsBlock]]]:
        """(second at which it ends, the block at every edge; the gate's own edge is the last)."""
        arms = (self.counts.control, self.counts.candidate, self.counts.stable)
        sums = [[np.cumsum(values, axis=2) for values in _trials_and_bad(arm, measured)] for arm in arms]
        first = int(self.warmup_seconds / self.step_seconds)
        for begin in range(first, sums[0][0].shape[2] - self.steps_per_block + 1, self.steps_per_block):
            end = begin + self.steps_per_block
            parts = [[_between(total, begin, end) for total in arm] for arm in sums]
            if not self.shared:
                parts[2] = [np.zeros_like(values) for values in parts[2]]
            edges = zip(*(zip(*arm, strict=True) for arm in parts), strict=True)
            yield end * self.step_seconds, [ArmsBlock(*edge) for edge in edges]


def seconds_until_off(
    reading: QueueReading, dependence: Dependence, measured: Measured = Measured.LATENCY
) -> np.ndarray:
    """Per run; infinity for never."""
    runs = reading.counts.control.done.shape[0]
    return _first_proof(reading, measured, acting(measured, dependence, runs, np.random.default_rng(runs)))


def seconds_until_passed(reading: QueueReading, canary_index: int) -> np.ndarray:
    """Per run until the latency gate would let the candidate pass this stage; infinity for never."""
    proof = passing_proof(canary_index, reading.counts.control.done.shape[0])
    return _first_proof(reading, Measured.LATENCY, [(proof, PASSING)])


def passing_proof(canary_index: int, runs: int) -> CarriedVector:
    """What the latency gate asks for, of bad trials and of good ones."""
    boundary = non_inferiority_boundary(LATENCY, canary_index)
    bad, good = (Contrast(boundary, Claim.NON_INFERIOR, runs) for _ in range(2))
    proof = OwnEdgeVector(BothVector(bad, GoodTrialsVector(good)))
    return CarriedVector(UsersVector(proof, boundary, Claim.NON_INFERIOR), LEAST_TRIALS)


def _first_proof(
    reading: QueueReading, measured: Measured, limits: Sequence[tuple[CarriedVector, float]]
) -> np.ndarray:
    first = np.full(reading.counts.control.done.shape[0], NEVER)
    for now, blocks in reading.blocks(measured):
        for process, threshold in limits:
            if isinstance(process.process, UsersVector) and measured is Measured.LATENCY:
                process.process.told = reading.told(now)
            process.update(blocks)
            first = np.where(process.log_e >= threshold, np.minimum(first, now), first)
        if np.isfinite(first).all():
            break
    return first


def acting(
    measured: Measured, dependence: Dependence, runs: int, draw: np.random.Generator
) -> list[tuple[CarriedVector, float]]:
    """(process, threshold) of all that a gate acts on, with the operator's boundary, priors and least trials."""
    gate = GATES[measured]
    analysis, boundary = Analysis(gates=(gate,)), harm_boundary(gate)
    trials = MeanVector(TrialsVector(Bernoulli(boundary, Claim.HARM, prior, runs)) for prior in _priors(gate))
    if dependence is Dependence.QUERY:
        harm = CarriedVector(UsersVector(trials, boundary), 1)
    else:
        swaps = MeanVector(SwapVector(boundary.ratio, runs, draw) for _ in _priors(gate))
        harm = CarriedVector(UsersVector(BothVector(swaps, trials), boundary), LEAST_TRIALS)
    found = [(harm, harm_log_threshold(gate, analysis, "harm"))]
    if measured is Measured.ERRORS:
        burst = Bernoulli(NullBoundary(offset=BURST_MARGIN), Claim.HARM, _priors(gate)[0], runs)
        found.append((CarriedVector(MeanVector([TrialsVector(burst)]), 1), harm_log_threshold(gate, analysis, "burst")))
    return found


def _priors(gate: Gate) -> list[Prior]:
    """One per edge."""
    return [bernoulli_prior(gate)] if gate.rate else [quantile_prior(per_mille) for per_mille in PER_MILLES]


def _trials_and_bad(arm, measured: Measured) -> tuple[np.ndarray, np.ndarray]:
    """(edges, runs, steps)."""
    return (arm.trials, arm.beyond) if measured is Measured.LATENCY else (arm.done[None], arm.errors[None])


def _between(total: np.ndarray, begin: int, end: int) -> np.ndarray:
    return total[:, :, end - 1] - (total[:, :, begin - 1] if begin else 0)

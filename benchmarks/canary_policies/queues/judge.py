"""Counts of many runs come in; when each run flags its candidate off comes out, for a mode and a length of blocks."""

from collections.abc import Iterator

import numpy as np
from benchmarks.canary_policies.queues.simulate import QueueCounts
from benchmarks.canary_policies.queues.twins import (
    ArmsBlock,
    BothVector,
    CarriedVector,
    MeanVector,
    SwapVector,
    TrialsVector,
)
from benchmarks.canary_policies.vectors import Bernoulli

from pitwall_crds.gate import Dependence, Gate, QuantileMetric, QuantileRule
from pitwall_crds.rollout import Analysis
from pitwall_operator.evidence.bernoulli import Prior
from pitwall_operator.evidence.null_boundary import Claim
from pitwall_operator.gates.budget import harm_log_threshold
from pitwall_operator.gates.processes import LEAST_TRIALS, QUANTILE_PRIOR_TRIALS, further_edges, harm_boundary

NEVER = np.inf
GATE = Gate(name="latency", quantile=QuantileRule(metric=QuantileMetric.QUERY_LATENCY))
PER_MILLES = (*further_edges(GATE), GATE.quantile.per_mille)
THRESHOLD = harm_log_threshold(GATE, Analysis(gates=(GATE,)), "harm")


def harm_process(dependence: Dependence, runs: int, draw: np.random.Generator) -> CarriedVector:
    """What a quantile gate acts on, with the operator's boundary, priors and least trials."""
    boundary = harm_boundary(GATE)
    trials = MeanVector(
        TrialsVector(Bernoulli(boundary, Claim.HARM, Prior(1 - per_mille / 1000, QUANTILE_PRIOR_TRIALS), runs))
        for per_mille in PER_MILLES
    )
    if dependence is Dependence.QUERY:
        return CarriedVector(trials, 1)
    swaps = MeanVector(SwapVector(boundary.ratio, runs, draw) for _ in PER_MILLES)
    return CarriedVector(BothVector(swaps, trials), LEAST_TRIALS)


def seconds_until_off(
    counts: QueueCounts,
    dependence: Dependence,
    steps_per_block: int,
    *,
    step_seconds: float,
    shared: bool = False,
    warmup_seconds: float = 0.0,
) -> np.ndarray:
    """Per run; infinity for never. `shared`: stable answers from the control's pods, so it counts beside it."""
    runs = counts.control.done.shape[0]
    process = harm_process(dependence, runs, np.random.default_rng(runs))
    off = np.full(runs, NEVER)
    for end, blocks in blocks_of(counts, steps_per_block, shared=shared, skipped=int(warmup_seconds / step_seconds)):
        process.update(blocks)
        crossed = process.log_e >= THRESHOLD
        off = np.where(crossed, np.minimum(off, end * step_seconds), off)
        if np.isfinite(off).all():
            break
    return off


def blocks_of(
    counts: QueueCounts, steps_per_block: int, *, shared: bool, skipped: int = 0
) -> Iterator[tuple[int, list[ArmsBlock]]]:
    """(step at which it ends, the block at every edge)."""
    arms = (counts.control, counts.candidate, counts.stable)
    sums = [[np.cumsum(values, axis=2) for values in (arm.trials, arm.beyond)] for arm in arms]
    steps = counts.control.done.shape[1]
    for end in range(skipped + steps_per_block, steps + 1, steps_per_block):
        begin = end - steps_per_block

        def between(total: np.ndarray, begin: int = begin, end: int = end) -> np.ndarray:
            return total[:, :, end - 1] - (total[:, :, begin - 1] if begin else 0)

        control, candidate, stable = ([between(total) for total in arm] for arm in sums)
        nothing = np.zeros_like(stable[0][0])
        yield (
            end,
            [
                ArmsBlock(
                    (control[0][edge], control[1][edge]),
                    (candidate[0][edge], candidate[1][edge]),
                    (stable[0][edge], stable[1][edge]) if shared else (nothing, nothing),
                )
                for edge in range(len(counts.edges))
            ],
        )

"""Pitwall's policy: one gate at one weight, in Block or Query mode, at a real analysis' thresholds."""

from dataclasses import dataclass

import numpy as np
from benchmarks.canary_policies.policies.outcome import NEVER, RampOutcome
from benchmarks.canary_policies.policies.vectors import (
    Bernoulli,
    BothVector,
    Contrast,
    GoodTrialsVector,
    LabelSwapVector,
)
from benchmarks.canary_policies.world.scenarios import ScenarioMetric
from benchmarks.canary_policies.world.traffic import BLOCK_SECONDS, Blocks

from pitwall_crds.rollout.gate import Dependence, Gate, QuantileMetric, QuantileRule, RateMetric, RateRule
from pitwall_crds.rollout.rollout import Analysis
from pitwall_operator.evidence.basis.null_boundary import Claim, NullBoundary
from pitwall_operator.evidence.bernoulli import Prior
from pitwall_operator.gates.budget import harm_log_threshold, promotion_log_threshold
from pitwall_operator.gates.processes import (
    BURST_MARGIN,
    LEAST_GOOD_RATIO,
    bernoulli_prior,
    harm_boundary,
    non_inferiority_boundary,
)

RULES = {
    ScenarioMetric.LATENCY: {"quantile": QuantileRule(metric=QuantileMetric.QUERY_LATENCY)},
    ScenarioMetric.ERRORS: {"rate": RateRule(metric=RateMetric.ERRORS), "absolute_margin_basis_points": 200},
    ScenarioMetric.THUMBS_DOWN: {"rate": RateRule(metric=RateMetric.THUMBS_DOWN)},
    ScenarioMetric.COLD: {"rate": RateRule(metric=RateMetric.COLD_QUERIES)},
}
FINAL_MARGIN = (25,)
"""At a constant weight the tightest promote margin must be proven."""
WATCH_SECONDS = 1800
"""At a constant weight every policy watches at least this long, as long as a peer's analysis."""


@dataclass(frozen=True, slots=True)
class GateRoles:
    """The acting processes of one gate, for many runs."""

    harm: object
    burst: object | None
    proofs: tuple[object, ...]
    harm_threshold: float
    burst_threshold: float
    proof_threshold: float

    def update(self, *block: np.ndarray) -> None:
        """One block: trials, control, candidate, and the control's trials where they differ."""
        for process in (self.harm, self.burst, *self.proofs):
            if process is not None:
                process.update(*block)

    def is_harmful(self) -> np.ndarray:
        """Per run."""
        harmful = self.harm.log_e >= self.harm_threshold
        return harmful if self.burst is None else harmful | (self.burst.log_e >= self.burst_threshold)

    def is_proven(self, index: int) -> np.ndarray:
        """Per run, for the promote margin of this canary stage."""
        return self.proofs[min(index, len(self.proofs) - 1)].peak_log_e >= self.proof_threshold

    def begin_stage(self, runs: np.ndarray) -> None:
        """What lets a candidate pass is proven anew in the next stage; harm is remembered."""
        for proof in self.proofs:
            proof.restart(runs)


def roles(
    metric: ScenarioMetric, dependence: Dependence, runs: int, margins: tuple[int, ...] | None = None
) -> GateRoles:
    """The processes that a Gate of this metric starts, with the same boundaries, priors and thresholds: those of
    latency at p99 alone."""
    more = {"promote_margin_percent": margins} if margins else {}
    gate = Gate(name="gate", dependence=dependence, **RULES[metric], **more)
    indices = range(len(gate.promote_margin_percent))
    analysis = Analysis(gates=(gate,))
    prior = bernoulli_prior(gate)
    boundaries = [non_inferiority_boundary(gate, index) for index in indices]
    harm = Bernoulli(harm_boundary(gate), Claim.HARM, prior, runs)
    if dependence is Dependence.BLOCK:
        harm = BothVector(LabelSwapVector(harm_boundary(gate).ratio, runs), harm)
    proofs = tuple(_proof(boundary, dependence, prior, runs) for boundary in boundaries)
    burst = (
        Bernoulli(NullBoundary(offset=BURST_MARGIN), Claim.HARM, prior, runs)
        if metric is ScenarioMetric.ERRORS
        else None
    )
    return GateRoles(
        harm,
        burst,
        proofs,
        harm_log_threshold(gate, analysis, "harm"),
        harm_log_threshold(gate, analysis, "burst"),
        promotion_log_threshold(analysis),
    )


def _proof(boundary: NullBoundary, dependence: Dependence, prior: Prior, runs: int) -> BothVector:
    """Non-inferiority of bad trials, and of good ones."""
    good = NullBoundary(ratio=LEAST_GOOD_RATIO if boundary.offset else boundary.ratio)
    if dependence is Dependence.BLOCK:
        first, second = (Contrast(one, Claim.NON_INFERIOR, runs) for one in (boundary, good))
    else:
        first = Bernoulli(boundary, Claim.NON_INFERIOR, prior, runs)
        second = Bernoulli(good, Claim.NON_INFERIOR, Prior(1 - prior.rate, prior.trials), runs)
    return BothVector(first, GoodTrialsVector(second))


def judge(
    metric: ScenarioMetric,
    dependence: Dependence,
    blocks: Blocks,
    *,
    block_seconds: int = BLOCK_SECONDS,
    pooled: bool = False,
) -> RampOutcome:
    """Both verdicts for every run. A block that could not be read is counted when the counters can be read again.

    `pooled`: the control shares its pods with stable, so Query mode compares with everything that stable answered.
    """
    runs, count = blocks.trials.shape
    state = roles(metric, dependence, runs, FINAL_MARGIN)
    arms = (blocks.trials, blocks.control, blocks.candidate)
    arms = (blocks.trials, blocks.pool, blocks.candidate, blocks.pool_trials) if pooled else arms
    off, promoted = np.full(runs, NEVER), np.full(runs, NEVER)
    hidden = np.zeros((len(arms), runs), int)
    for index in range(count):
        hidden += np.stack([values[:, index] for values in arms])
        now = (index + 1) * BLOCK_SECONDS
        if not blocks.seen[index] or now % block_seconds:
            continue
        state.update(*hidden)
        hidden[:] = 0
        off = np.where(state.is_harmful(), np.minimum(off, now), off)
        promoted = np.where(state.is_proven(0), np.minimum(promoted, max(now, WATCH_SECONDS)), promoted)
        if np.isfinite(off).all() or (now >= WATCH_SECONDS and np.isfinite(np.minimum(off, promoted)).all()):
            break
    return RampOutcome.of(off, promoted, blocks.answered)

"""Builds a gate's e-processes, each under the key by which the Rollout's status remembers it."""

from pitwall_crds.gate import Dependence, Gate, RateMetric
from pitwall_operator.evidence.baseline import RecordProcess
from pitwall_operator.evidence.bernoulli import BernoulliProcess, Prior
from pitwall_operator.evidence.calibration import Calibration
from pitwall_operator.evidence.contrast import ContrastProcess, Measure
from pitwall_operator.evidence.label_swap import LabelSwapProcess
from pitwall_operator.evidence.null_boundary import Claim, NullBoundary
from pitwall_operator.evidence.objective import ObjectiveBlocks, ObjectiveProcess
from pitwall_operator.evidence.paired import Against, PairedProcess
from pitwall_operator.evidence.pairs_as_arms import PairsAsArms
from pitwall_operator.evidence.process import EProcess

BURST_MARGIN = 0.25
"""Burst guard: so much more of the candidate's queries fail than of the control's."""
QUANTILE_PRIOR_TRIALS = 50.0
RATE_PRIOR_TRIALS = 2.0
RATE_PRIORS = {
    RateMetric.ERRORS: 0.01,
    RateMetric.COLD_QUERIES: 0.3,
    RateMetric.THUMBS_DOWN: 0.1,
    RateMetric.FOLLOW_UP: 0.2,
    RateMetric.TASK_ABANDONED: 0.2,
}


def harm_key(gate: Gate, dependence: Dependence) -> str:
    """Where the status keeps the harm process; another margin is another hypothesis, so it starts anew."""
    return f"harm-{dependence.lower()}@{gate.margin_percent}"


def paired_key(claim: Claim, gate: Gate, dependence: Dependence) -> str:
    """Where the status keeps a process on the shadow's pairs."""
    return f"paired-{claim}-{dependence.lower()}@{gate.margin_percent}"


def record_key(gate: Gate) -> str:
    """Where the status keeps the process that runs at full weight."""
    return f"record-harm@{gate.margin_percent}"


def burst_key() -> str:
    """Where the status keeps the burst guard."""
    return "burst"


def objective_key(claim: Claim, gate: Gate) -> str:
    """Where the status keeps the process against the absolute objective; another limit starts anew."""
    rule = gate.quantile
    limit = f"p{rule.per_mille}<{rule.objective_milliseconds}ms" if rule else f"{gate.objective:g}"
    return f"objective-{claim}-{gate.dependence.lower()}@{limit}"


def calibration_key(gate: Gate, dependence: Dependence) -> str:
    """Where the status keeps the A/A monitor."""
    return f"aa-{dependence.lower()}@{gate.margin_percent}"


def calibrations(gate: Gate) -> tuple[Dependence, ...]:
    """The assumptions under which a gate's A/A monitor runs; means have no single trials."""
    return (Dependence.BLOCK,) if gate.mean else tuple(Dependence)


def promote_margin(gate: Gate, canary_index: int) -> int:
    """Percent by which the candidate may be worse and still pass this canary stage."""
    margins = gate.promote_margin_percent
    return margins[min(canary_index, len(margins) - 1)]


def non_inferiority_key(gate: Gate, dependence: Dependence, canary_index: int) -> str:
    """Where the status keeps the non-inferiority process of a stage; stages with the same margin share it."""
    if gate.absolute_margin_basis_points:
        return f"non-inferiority-{dependence.lower()}@{gate.margin_percent}+{gate.absolute_margin_basis_points}bp"
    return f"non-inferiority-{dependence.lower()}@{gate.margin_percent}+{promote_margin(gate, canary_index)}"


def harm_boundary(gate: Gate) -> NullBoundary:
    """Candidate = (1 + margin) · control. A quantile's margin is in the candidate's edge, so its boundary is 1 : 1."""
    return NullBoundary() if gate.quantile else NullBoundary(ratio=1 + gate.margin_percent / 100)


def non_inferiority_boundary(gate: Gate, canary_index: int) -> NullBoundary:
    """Candidate = (1 + promote margin) · control, or control + the absolute margin."""
    if gate.absolute_margin_basis_points:
        return NullBoundary(offset=gate.absolute_margin_basis_points / 10_000)
    return NullBoundary(ratio=1 + promote_margin(gate, canary_index) / 100)


def fresh_processes(gate: Gate) -> dict[str, EProcess]:
    """Every process of a gate before the first block. All margins run from the start, so evidence carries over."""
    processes: dict[str, EProcess] = {}
    for dependence in Dependence:
        processes[harm_key(gate, dependence)] = _harm(gate, dependence, harm_boundary(gate))
        for claim in Claim:
            processes[paired_key(claim, gate, dependence)] = _paired(claim, gate, dependence)
        for index in range(len(gate.promote_margin_percent)):
            key = non_inferiority_key(gate, dependence, index)
            processes[key] = _non_inferiority(gate, dependence, non_inferiority_boundary(gate, index))
    processes[record_key(gate)] = RecordProcess(1 + promote_margin(gate, 0) / 100, _measure(gate))
    if gate.rate and gate.rate.metric is RateMetric.ERRORS:
        processes[burst_key()] = BernoulliProcess.start(NullBoundary(offset=BURST_MARGIN), Claim.HARM, _prior(gate))
    if gate.objective:
        processes |= {objective_key(claim, gate): _objective(claim, gate) for claim in Claim}
    return processes | {
        calibration_key(gate, dependence): _calibration(gate, dependence) for dependence in calibrations(gate)
    }


def _harm(gate: Gate, dependence: Dependence, boundary: NullBoundary) -> EProcess:
    """Means say nothing about single queries, so both kinds of dependence share the block process."""
    if gate.mean:
        return ContrastProcess(boundary, Claim.HARM, Measure.MEAN)
    if dependence is Dependence.BLOCK:
        return LabelSwapProcess(boundary.ratio)
    return BernoulliProcess.start(boundary, Claim.HARM, _prior(gate))


def _objective(claim: Claim, gate: Gate) -> EProcess:
    if gate.dependence is Dependence.BLOCK:
        return ObjectiveBlocks.start(gate.objective, claim)
    return ObjectiveProcess.start(gate.objective, claim)


def _calibration(gate: Gate, dependence: Dependence) -> EProcess:
    """Both arms run the same sampler and are counted beyond the same edge, so the margin is one of shares here."""
    boundary = NullBoundary(ratio=1 + gate.margin_percent / 100)
    return Calibration(_harm(gate, dependence, boundary), _harm(gate, dependence, boundary))


def _non_inferiority(gate: Gate, dependence: Dependence, boundary: NullBoundary) -> EProcess:
    """About the mean on purpose: a candidate with rare large bursts loses few blocks, and yet is worse."""
    if gate.mean or dependence is Dependence.BLOCK:
        return ContrastProcess(boundary, Claim.NON_INFERIOR, _measure(gate))
    return BernoulliProcess.start(boundary, Claim.NON_INFERIOR, _prior(gate))


def _paired(claim: Claim, gate: Gate, dependence: Dependence) -> EProcess:
    """A copy that failed has no counterpart, since the stable's failures are not counted: harm is a majority."""
    against = Against.BETTER if claim is Claim.HARM and not gate.rate else Against.NOT_WORSE
    if dependence is Dependence.QUERY:
        return PairedProcess(claim, against)
    process = LabelSwapProcess() if claim is Claim.HARM else ContrastProcess(NullBoundary(), claim, Measure.RATE)
    return PairsAsArms(process, against)


def _measure(gate: Gate) -> Measure:
    return Measure.MEAN if gate.mean else Measure.RATE


def _prior(gate: Gate) -> Prior:
    if gate.quantile:
        return Prior(1 - gate.quantile.per_mille / 1000, QUANTILE_PRIOR_TRIALS)
    assert gate.rate is not None
    return Prior(RATE_PRIORS[gate.rate.metric], RATE_PRIOR_TRIALS)

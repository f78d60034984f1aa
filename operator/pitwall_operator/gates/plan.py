"""A gate comes in, its e-processes go out, each under the key by which the status remembers it."""

from pitwall_crds.gate import Dependence, Gate, RateMetric
from pitwall_operator.evidence.bernoulli import BernoulliProcess, Prior
from pitwall_operator.evidence.contrast import ContrastProcess, Measure
from pitwall_operator.evidence.line import Claim, Line
from pitwall_operator.evidence.paired import PairedProcess
from pitwall_operator.evidence.process import Process

PAIRED_HARM = "paired-harm"
PAIRED_NON_INFERIORITY = "paired-non-inferiority"

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


def promote_margin(gate: Gate, canary_index: int) -> int:
    """Percent by which the candidate may be worse and still pass this canary stage."""
    margins = gate.promote_margin_percent
    return margins[min(canary_index, len(margins) - 1)]


def non_inferiority_key(gate: Gate, dependence: Dependence, canary_index: int) -> str:
    """Where the status keeps the non-inferiority process of a stage; stages with the same margin share it."""
    if gate.absolute_margin_basis_points:
        return f"non-inferiority-{dependence.lower()}@{gate.margin_percent}+{gate.absolute_margin_basis_points}bp"
    return f"non-inferiority-{dependence.lower()}@{gate.margin_percent}+{promote_margin(gate, canary_index)}"


def harm_line(gate: Gate) -> Line:
    """Candidate = (1 + margin) · control. A quantile's margin lies in the candidate's edge, so its line is 1 : 1."""
    return Line() if gate.quantile else Line(ratio=1 + gate.margin_percent / 100)


def non_inferiority_line(gate: Gate, canary_index: int) -> Line:
    """Candidate = (1 + promote margin) · control, or control + the absolute margin."""
    if gate.absolute_margin_basis_points:
        return Line(offset=gate.absolute_margin_basis_points / 10_000)
    return Line(ratio=1 + promote_margin(gate, canary_index) / 100)


def fresh_processes(gate: Gate) -> dict[str, Process]:
    """Every process of a gate before the first block. All margins run from the start, so evidence carries over."""
    processes: dict[str, Process] = {
        PAIRED_HARM: PairedProcess(Claim.HARM),
        PAIRED_NON_INFERIORITY: PairedProcess(Claim.NON_INFERIOR),
    }
    for dependence in Dependence:
        processes[harm_key(gate, dependence)] = _split(gate, dependence, Claim.HARM, harm_line(gate))
        for index in range(len(gate.promote_margin_percent)):
            line = non_inferiority_line(gate, index)
            processes[non_inferiority_key(gate, dependence, index)] = _split(gate, dependence, Claim.NON_INFERIOR, line)
    return processes


def _split(gate: Gate, dependence: Dependence, claim: Claim, line: Line) -> Process:
    """The process that compares the arms of the split."""
    if gate.mean:
        return ContrastProcess(line, claim, Measure.MEAN)
    if dependence is Dependence.BLOCK:
        return ContrastProcess(line, claim, Measure.RATE)
    return BernoulliProcess(line, claim, _prior(gate))


def _prior(gate: Gate) -> Prior:
    if gate.quantile:
        return Prior(1 - gate.quantile.per_mille / 1000, QUANTILE_PRIOR_TRIALS)
    if gate.rate:
        return Prior(RATE_PRIORS[gate.rate.metric], RATE_PRIOR_TRIALS)
    raise ValueError(f"gate {gate.name!r} compares means, which have no rate")

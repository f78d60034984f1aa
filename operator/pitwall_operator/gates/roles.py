"""Says which tests of a gate decide in a stage, at which threshold, and which are only shown."""

from dataclasses import dataclass

from pitwall_crds.rollout.gate import Dependence, Gate, RateMetric
from pitwall_crds.rollout.rollout import Analysis
from pitwall_operator.evidence.basis.counts import NOTHING, Counts
from pitwall_operator.evidence.basis.null_boundary import Claim
from pitwall_operator.gates.assessment import StageContext, StageKind
from pitwall_operator.gates.budget import GROSS_HARM, OBJECTIVE_HARM, harm_log_threshold, promotion_log_threshold
from pitwall_operator.gates.processes import (
    burst_key,
    calibration_key,
    calibrations,
    gross_key,
    harm_key,
    in_time_key,
    non_inferiority_key,
    objective_key,
    paired_key,
    sees_who_leaves,
)

HARM = "harm"
PAIRED_HARM = "paired-harm"
BURST = "burst"
NON_INFERIORITY = "non-inferiority"
PAIRED_NON_INFERIORITY = "paired-non-inferiority"
OBJECTIVE = "objective"
IN_TIME = "in-time"


@dataclass(frozen=True, slots=True)
class Role:
    """A process's name to people, its key in the status, and what its crossing means."""

    name: str
    key: str
    log_threshold: float
    acting: bool = True


def harm_roles(gate: Gate, analysis: Analysis) -> tuple[Role, ...]:
    """Every way in which harm can be proven, whatever the stage: what was proven in one stays proven in the next."""
    keys = {
        HARM: harm_key(gate, gate.dependence),
        PAIRED_HARM: paired_key(Claim.HARM, gate, gate.dependence),
    }
    if gate.rate and gate.rate.metric is RateMetric.ERRORS:
        keys[BURST] = burst_key()
    if gate.quantile:
        keys[GROSS_HARM] = gross_key(gate)
    if gate.objective:
        keys[OBJECTIVE_HARM] = objective_key(Claim.HARM, gate)
    return tuple(Role(name, key, harm_log_threshold(gate, analysis, name)) for name, key in keys.items())


def proof_roles(gate: Gate, analysis: Analysis, stage: StageContext, seen: Counts = NOTHING) -> tuple[Role, ...]:
    """The processes that together let the candidate pass this stage. Copies cannot miss an objective: nobody waits.
    Where nobody has left the candidate, what is proven of trials is proven of all questions."""
    threshold = promotion_log_threshold(analysis)
    if stage.kind is StageKind.SHADOW:
        key = paired_key(Claim.NON_INFERIOR, gate, gate.dependence)
        return (Role(PAIRED_NON_INFERIORITY, key, threshold),)
    margin = Role(NON_INFERIORITY, non_inferiority_key(gate, gate.dependence, stage.canary_index), threshold)
    roles = [margin]
    if seen.abandoned.candidate and sees_who_leaves(gate):
        roles.append(Role(IN_TIME, in_time_key(gate, gate.dependence, stage.canary_index), threshold))
    if gate.objective:
        roles.append(Role(OBJECTIVE, objective_key(Claim.NON_INFERIOR, gate), threshold))
    return tuple(roles)


def calibration_role(gate: Gate, analysis: Analysis, dependence: Dependence) -> Role:
    """The A/A monitor, at the threshold at which the same difference would be harm; it is about no candidate."""
    threshold = harm_log_threshold(gate, analysis, HARM)
    return Role(f"aa-{dependence.lower()}", calibration_key(gate, dependence), threshold, acting=False)


def aside_roles(gate: Gate, analysis: Analysis, stage: StageContext) -> tuple[Role, ...]:
    """What would be said under the other assumption about dependence, and of equal arms; shown, never acting."""
    other = next(value for value in Dependence if value is not gate.dependence)
    harm, proof = harm_log_threshold(gate, analysis, HARM), promotion_log_threshold(analysis)
    if stage.kind is StageKind.SHADOW:
        paired = harm_log_threshold(gate, analysis, PAIRED_HARM)
        return (
            Role(f"{PAIRED_HARM}-{other.lower()}", paired_key(Claim.HARM, gate, other), paired, acting=False),
            Role(
                f"{PAIRED_NON_INFERIORITY}-{other.lower()}",
                paired_key(Claim.NON_INFERIOR, gate, other),
                proof,
                acting=False,
            ),
        )
    monitors = tuple(calibration_role(gate, analysis, dependence) for dependence in calibrations(gate))
    if gate.mean:
        return monitors
    return (
        Role(f"{HARM}-{other.lower()}", harm_key(gate, other), harm, acting=False),
        Role(
            f"{NON_INFERIORITY}-{other.lower()}",
            non_inferiority_key(gate, other, stage.canary_index),
            proof,
            acting=False,
        ),
        *monitors,
    )

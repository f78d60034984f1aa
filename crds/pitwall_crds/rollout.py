"""Rollout: how a variant reaches the users of a flag, stage by stage, and what is known on the way."""

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from pitwall_crds import names
from pitwall_crds.gate import Gate
from pitwall_crds.resource import Border, Condition, Metadata, Name, Reference

WeightBasisPoints = Annotated[int, Field(ge=1, le=names.FULL_WEIGHT)]
Seconds = Annotated[int, Field(ge=0, le=31_536_000)]


class Approval(StrEnum):
    """Whether a person must approve before the next stage."""

    AUTOMATIC = "Automatic"
    MANUAL = "Manual"


class ShadowStage(Border):
    """Copies a share of the stable's questions to the candidate; its answers are discarded."""

    percent: Annotated[int, Field(ge=1, le=100)] = 5


class Stage(Border):
    """One step of the way: either shadow, or a weight. The last weight must be 10000."""

    shadow: ShadowStage | None = None
    weight_basis_points: WeightBasisPoints | None = None
    min_seconds: Seconds = 0
    max_seconds: Annotated[Seconds, Field(description="Deadline; 0 is none. Then spec.onInconclusive applies.")] = 0
    bake_seconds: Annotated[Seconds, Field(description="At full weight: how long to watch before it is stable.")] = 0
    approval: Approval = Approval.AUTOMATIC

    @model_validator(mode="after")
    def _shadow_or_weight(self) -> "Stage":
        if (self.shadow is None) == (self.weight_basis_points is None):
            raise ValueError("a stage must set exactly one of shadow and weightBasisPoints")
        return self

    @property
    def weight(self) -> int:
        """The candidate's share of the traffic, in basis points; 0 in shadow."""
        return self.weight_basis_points or 0


class Control(Border):
    """The control arm: stable's sampler on a slice as large as the candidate's."""

    dedicated: Annotated[bool, Field(description="On pods of its own, as many as the candidate's.")] = False


class Experiment(Border):
    """A further variant that only ever sees copies."""

    variant_ref: Reference
    shadow: ShadowStage = ShadowStage()


class Analysis(Border):
    """What is measured, and which error probabilities are accepted."""

    block_seconds: Annotated[int, Field(ge=1, le=3600)] = 5
    false_rollback_per_mille: Annotated[
        int, Field(ge=1, le=200, description="Chance of flagging off a harmless variant, over the whole rollout.")
    ] = 10
    false_promotion_per_mille: Annotated[
        int, Field(ge=1, le=500, description="Chance of passing a stage with a gate worse than its margin.")
    ] = 50
    gates: Annotated[tuple[Gate, ...], Field(min_length=1, max_length=16)]

    @model_validator(mode="after")
    def _gate_names_differ(self) -> "Analysis":
        gate_names = [gate.name for gate in self.gates]
        if len(set(gate_names)) != len(gate_names):
            raise ValueError(f"gate names must differ, got {gate_names}")
        return self


class OnInconclusive(StrEnum):
    """What happens at a stage's deadline when nothing is proven."""

    HOLD = "Hold"
    PROMOTE = "Promote"
    FLAG_OFF = "FlagOff"


class Verb(StrEnum):
    """What a person may ask of a rollout, once per id."""

    PROMOTE = "Promote"
    ABORT = "Abort"
    RETRY = "Retry"


class Action(Border):
    """A person's request. The same id is carried out once."""

    id: Annotated[str, Field(min_length=1, max_length=64)]
    verb: Verb
    actor: Annotated[str, Field(max_length=128)] = ""


class RolloutSpec(Border):
    """What should serve, and how it gets there. The operator never writes here."""

    flag: Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    variant_ref: Reference
    stages: Annotated[tuple[Stage, ...], Field(min_length=1, max_length=16)]
    control: Control = Control()
    experiments: Annotated[tuple[Experiment, ...], Field(max_length=8)] = ()
    analysis: Analysis
    on_inconclusive: OnInconclusive = OnInconclusive.HOLD
    paused: bool = False
    action: Action | None = None

    @model_validator(mode="after")
    def _stages_climb(self) -> "RolloutSpec":
        weights = [stage.weight for stage in self.stages]
        shadows = [index for index, stage in enumerate(self.stages) if stage.shadow]
        if shadows not in ([], [0]):
            raise ValueError("a shadow stage must be the first stage, and there must be at most one")
        if any(later <= earlier for earlier, later in zip(weights, weights[1:], strict=False)):
            raise ValueError(f"stages must climb, got weightBasisPoints {weights}")
        if weights[-1] != names.FULL_WEIGHT:
            raise ValueError(f"the last stage must have weightBasisPoints {names.FULL_WEIGHT}, got {weights[-1]}")
        return self


class Verdict(StrEnum):
    """What the evidence says."""

    HARMFUL = "Harmful"
    NON_INFERIOR = "NonInferior"
    INCONCLUSIVE = "Inconclusive"
    UNMEASURED = "Unmeasured"


class Phase(StrEnum):
    """Where a rollout stands. Conditions say the same in Kubernetes' words."""

    PENDING = "Pending"
    SHADOW = "Shadow"
    CANARY = "Canary"
    BAKE = "Bake"
    STABLE = "Stable"
    FLAGGED_OFF = "FlaggedOff"
    ABORTED = "Aborted"
    INVALID = "Invalid"


class ArmWeight(Border):
    """One arm's share."""

    arm: names.Arm
    variant: Name
    weight_basis_points: Annotated[int, Field(ge=0, le=names.FULL_WEIGHT)]


class GateStatus(Border):
    """One gate's evidence: readable fields first, then the few numbers that carry it over a restart."""

    name: Name
    verdict: Verdict = Verdict.INCONCLUSIVE
    message: Annotated[str, Field(max_length=512)] = ""
    state: Annotated[dict[str, Any], Field(description="Sufficient statistics; decimals as strings.")] = {}


class HistoryEntry(Border):
    """One decision that changed something."""

    time: Annotated[str, Field(max_length=40)]
    reason: Annotated[str, Field(max_length=64)]
    message: Annotated[str, Field(max_length=1024)]
    variant: Annotated[str, Field(max_length=63)] = ""


class FlaggedOff(Border):
    """A variant that was proven worse; it stays off until its spec changes or a retry is asked."""

    variant: Name
    revision: Annotated[str, Field(max_length=64)]
    gate: Annotated[str, Field(max_length=63)]
    message: Annotated[str, Field(max_length=1024)]
    time: Annotated[str, Field(max_length=40)]


class RolloutStatus(Border):
    """What is known. It is the whole memory of the decision."""

    observed_generation: Annotated[int, Field(ge=0)] = 0
    phase: Phase = Phase.PENDING
    stable_variant: Annotated[str, Field(max_length=63)] = ""
    stable_revision: Annotated[str, Field(max_length=64)] = ""
    candidate_variant: Annotated[str, Field(max_length=63)] = ""
    candidate_revision: Annotated[str, Field(max_length=64)] = ""
    run_id: Annotated[str, Field(max_length=64, description="Salt of the split; new for every candidate.")] = ""
    stage_index: Annotated[int, Field(ge=0, le=16)] = 0
    stage_start_time: Annotated[str, Field(max_length=40)] = ""
    last_block_time: Annotated[str, Field(max_length=40)] = ""
    weights: Annotated[tuple[ArmWeight, ...], Field(max_length=8)] = ()
    verdict: Verdict = Verdict.UNMEASURED
    reason: Annotated[str, Field(max_length=256)] = ""
    gates: Annotated[tuple[GateStatus, ...], Field(max_length=16)] = ()
    cursor: Annotated[dict[str, Any], Field(description="Raw counters at the end of the last block.")] = {}
    flagged_off: Annotated[tuple[FlaggedOff, ...], Field(max_length=16)] = ()
    approved_stage: Annotated[int, Field(ge=-1, le=16)] = -1
    last_action_id: Annotated[str, Field(max_length=64)] = ""
    conditions: Annotated[tuple[Condition, ...], Field(max_length=8)] = ()
    history: Annotated[tuple[HistoryEntry, ...], Field(max_length=32)] = ()


class Rollout(Border):
    """One flag's way from the stable variant to the desired one."""

    api_version: Literal["pitwall.dev/v1alpha1"] = names.API_VERSION
    kind: Literal["Rollout"] = "Rollout"
    metadata: Metadata
    spec: RolloutSpec
    status: RolloutStatus = RolloutStatus()

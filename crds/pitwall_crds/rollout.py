"""Rollout: how a variant reaches the users of a flag, stage by stage, and what is known on the way."""

import itertools
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from pitwall_crds import names
from pitwall_crds.gate import Gate
from pitwall_crds.resource import Border, Condition, Metadata, Name, Reference, Resource, cel_rules, keyed_by

MAXIMUM_STAGES = 16

WeightBasisPoints = Annotated[int, Field(ge=1, le=names.FULL_WEIGHT)]
Seconds = Annotated[int, Field(ge=0, le=31_536_000)]


class Approval(StrEnum):
    """Whether a person must approve before the next stage."""

    AUTOMATIC = "Automatic"
    MANUAL = "Manual"


class ShadowStage(Border):
    """Copies a share of the stable's questions to the candidate; its answers are discarded."""

    percent: Annotated[int, Field(ge=1, le=100, description="Share of the stable's questions that is copied.")] = 5


class Stage(Border):
    """One step of the way: either shadow, or a weight. The last weight must be 10000."""

    model_config = cel_rules(
        (
            "has(self.shadow) != has(self.weightBasisPoints)",
            "a stage must set exactly one of shadow and weightBasisPoints",
        )
    )

    shadow: ShadowStage | None = None
    weight_basis_points: Annotated[
        WeightBasisPoints | None,
        Field(
            description="The candidate's share of the traffic in hundredths of a percent; must climb, and end at 10000."
        ),
    ] = None
    min_seconds: Annotated[Seconds, Field(description="How long the stage lasts at least, whatever the evidence.")] = 60
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

    variant_ref: Annotated[Reference, Field(description="The variant that gets the copies.")]
    shadow: ShadowStage = ShadowStage()


class Analysis(Border):
    """What is measured, and which error probabilities are accepted."""

    block_seconds: Annotated[
        int,
        Field(ge=1, le=3600, description="Length of one block; queries of a block may be correlated, blocks are not."),
    ] = 5
    false_rollback_per_mille: Annotated[
        int, Field(ge=1, le=200, description="Chance of flagging off a harmless variant, over the whole rollout.")
    ] = 10
    false_promotion_per_mille: Annotated[
        int, Field(ge=1, le=500, description="Chance of passing a stage with a gate worse than its margin.")
    ] = 50
    gates: Annotated[
        tuple[Gate, ...],
        Field(
            min_length=1,
            max_length=16,
            description="The metrics that decide, one rule each.",
            json_schema_extra=keyed_by("name"),
        ),
    ]

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

    id: Annotated[
        str,
        Field(
            min_length=1,
            max_length=64,
            description="Chosen by the asker, new for every request; the same id is carried out once.",
        ),
    ]
    verb: Verb
    actor: Annotated[str, Field(max_length=128, description="Who asks, for the record.")] = ""


class RolloutSpec(Border):
    """What should serve, and how it gets there. The operator never writes here."""

    model_config = cel_rules(
        (
            "self.stages.all(s, !has(s.shadow))"
            " || (has(self.stages[0].shadow) && self.stages.exists_one(s, has(s.shadow)))",
            "a shadow stage must be the first stage, and there must be at most one",
        ),
        (
            f"[{', '.join(map(str, range(MAXIMUM_STAGES - 1)))}].all(i, i + 1 >= self.stages.size()"
            " || (has(self.stages[i].weightBasisPoints) ? self.stages[i].weightBasisPoints : 0)"
            " < (has(self.stages[i + 1].weightBasisPoints) ? self.stages[i + 1].weightBasisPoints : 0))",
            "stages must climb: each weightBasisPoints must be larger than the one before",
        ),
        (
            "self.stages.size() == 0 || has(self.stages[self.stages.size() - 1].weightBasisPoints)"
            f" && self.stages[self.stages.size() - 1].weightBasisPoints == {names.FULL_WEIGHT}",
            f"the last stage must have weightBasisPoints {names.FULL_WEIGHT}",
        ),
    )

    flag: Annotated[
        str,
        Field(
            min_length=1,
            max_length=128,
            pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
            description="The feature flag whose split this rollout owns, such as sampler.variant.",
        ),
    ]
    variant_ref: Annotated[
        Reference, Field(description="What should serve. The one that does serve is in status.stableVariant.")
    ]
    stages: Annotated[
        tuple[Stage, ...],
        Field(min_length=1, max_length=MAXIMUM_STAGES, description="The way to full weight, in order."),
    ]
    control: Control = Control()
    experiments: Annotated[
        tuple[Experiment, ...], Field(max_length=8, description="Further variants that only ever see copies.")
    ] = ()
    analysis: Analysis
    on_inconclusive: OnInconclusive = OnInconclusive.HOLD
    paused: Annotated[
        bool, Field(description="Holds the present split; evidence is still gathered, and a kill switch still works.")
    ] = False
    action: Annotated[
        Action | None, Field(description="A person's request; kubectl pitwall promote, abort and retry write it.")
    ] = None

    @model_validator(mode="after")
    def _stages_climb(self) -> "RolloutSpec":
        weights = [stage.weight for stage in self.stages]
        shadows = [index for index, stage in enumerate(self.stages) if stage.shadow]
        if shadows not in ([], [0]):
            raise ValueError("a shadow stage must be the first stage, and there must be at most one")
        if any(later <= earlier for earlier, later in itertools.pairwise(weights)):
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
    variant: Annotated[Name, Field(description="The SamplerVariant that this arm is served by.")]
    weight_basis_points: Annotated[int, Field(ge=0, le=names.FULL_WEIGHT, description="The arm's share of 10000.")]


Decimal = Annotated[str, Field(max_length=32, pattern=r"^(-?[0-9.]+(e[-+]?[0-9]+)?|-?inf)$")]
"""A number as text, written so that reading it back gives the same number."""


class TailStatus(Border):
    """A quantile gate's thresholds, frozen from the control's history: beyond them a query counts as bad."""

    control: Annotated[Decimal, Field(description="Seconds, for the control arm.")]
    candidate: Annotated[Decimal, Field(description="Seconds, for the candidate.")]


class ProcessStatus(Border):
    """One e-process: how strong the evidence is, and from where on it is proof; natural logarithms."""

    name: Annotated[str, Field(max_length=63, description="Which process.")]
    log_e: Annotated[Decimal, Field(description="Its natural logarithm now.")]
    log_threshold: Annotated[Decimal, Field(description="From here on it is proof.")]
    acting: Annotated[bool, Field(description="Whether its proof has consequences, or is told only.")] = True


class GateStatus(Border):
    """One gate's evidence: readable fields first, then the few numbers that carry it over a restart."""

    name: Annotated[Name, Field(description="The gate's name in spec.analysis.gates.")]
    verdict: Verdict = Verdict.UNMEASURED
    message: Annotated[str, Field(max_length=512, description="The evidence in a sentence.")] = ""
    missing_trials: Annotated[
        int, Field(ge=-1, description="Until a proof at current rates; -1 is unknown.", le=1_000_000_000)
    ] = -1
    evidence: Annotated[tuple[ProcessStatus, ...], Field(max_length=8, description="The gate's e-processes.")] = ()
    tail: TailStatus | None = None
    first_trial_time: Annotated[
        str, Field(max_length=40, description="When the candidate first counted; warmupSeconds begin here.")
    ] = ""
    state: Annotated[dict[str, Any], Field(description="Sufficient statistics; decimals as strings.")] = {}


class HistoryEntry(Border):
    """One decision that changed something."""

    time: Annotated[str, Field(max_length=40, description="When, RFC 3339.")]
    reason: Annotated[str, Field(max_length=64, description="Why, as one CamelCase word.")]
    message: Annotated[str, Field(max_length=1024, description="What was decided, and on which evidence.")]
    variant: Annotated[str, Field(max_length=63, description="The variant that it is about.")] = ""


class FlaggedOff(Border):
    """A variant that was proven worse; it stays off until its spec changes or a retry is asked."""

    variant: Annotated[Name, Field(description="The variant's name.")]
    revision: Annotated[str, Field(max_length=64, description="Hash of the spec that was proven worse.")]
    gate: Annotated[str, Field(max_length=63, description="The gate that proved it.")]
    message: Annotated[str, Field(max_length=1024, description="The evidence in a sentence.")]
    time: Annotated[str, Field(max_length=40, description="When, RFC 3339.")]


class RolloutStatus(Border):
    """What is known. It is the whole memory of the decision."""

    observed_generation: Annotated[
        int, Field(ge=0, le=2**53, description="The metadata.generation that this status is about.")
    ] = 0
    phase: Phase = Phase.PENDING
    stable_variant: Annotated[str, Field(max_length=63, description="What serves, and what a rollback returns to.")] = (
        ""
    )
    stable_revision: Annotated[str, Field(max_length=64, description="Hash of the stable's spec.")] = ""
    candidate_variant: Annotated[
        str, Field(max_length=63, description="What is proving itself; empty when nothing is.")
    ] = ""
    candidate_revision: Annotated[str, Field(max_length=64, description="Hash of the candidate's spec.")] = ""
    run_id: Annotated[str, Field(max_length=64, description="Salt of the split; new for every candidate.")] = ""
    run_start_time: Annotated[
        str, Field(max_length=40, description="When the present candidate's run began, RFC 3339.")
    ] = ""
    stage_index: Annotated[int, Field(ge=0, le=16, description="Index of the present stage in spec.stages.")] = 0
    stage_start_time: Annotated[str, Field(max_length=40, description="When the present stage began, RFC 3339.")] = ""
    last_block_time: Annotated[
        str, Field(max_length=40, description="End of the last block that was counted, RFC 3339.")
    ] = ""
    weights: Annotated[
        tuple[ArmWeight, ...],
        Field(max_length=8, description="The split that is in force.", json_schema_extra=keyed_by("arm")),
    ] = ()
    verdict: Verdict = Verdict.UNMEASURED
    reason: Annotated[
        str, Field(max_length=256, description="Why the rollout stands where it stands, in a short sentence.")
    ] = ""
    gates: Annotated[
        tuple[GateStatus, ...],
        Field(max_length=16, description="The evidence per gate.", json_schema_extra=keyed_by("name")),
    ] = ()
    cursor: Annotated[dict[str, Any], Field(description="Raw counters at the end of the last block.")] = {}
    flagged_off: Annotated[
        tuple[FlaggedOff, ...], Field(max_length=16, description="Variants that were proven worse.")
    ] = ()
    approved_stage: Annotated[
        int, Field(ge=-1, le=16, description="The last stage that a person approved; -1 is none.")
    ] = -1
    last_action_id: Annotated[
        str, Field(max_length=64, description="The last spec.action.id that was carried out.")
    ] = ""
    conditions: Annotated[
        tuple[Condition, ...],
        Field(
            max_length=8,
            description="Ready, Progressing and what stands in their way.",
            json_schema_extra=keyed_by("type"),
        ),
    ] = ()
    history: Annotated[
        tuple[HistoryEntry, ...],
        Field(max_length=32, description="The last decisions that changed something, oldest first."),
    ] = ()


class Rollout(Resource):
    """One flag's way from the stable variant to the desired one."""

    api_version: Literal["pitwall.dev/v1alpha1"] = names.API_VERSION
    kind: Literal["Rollout"] = "Rollout"
    metadata: Metadata
    spec: RolloutSpec
    status: RolloutStatus = RolloutStatus()

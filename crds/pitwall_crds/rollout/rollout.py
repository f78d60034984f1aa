"""Rollout: how a variant reaches the users of a flag, stage by stage."""

import itertools
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, model_validator

from pitwall_crds import names
from pitwall_crds.resource import Border, Metadata, Reference, Resource, cel_rules, keyed_by
from pitwall_crds.rollout.action import ABORT_GOES_FIRST, MAXIMUM_STAGES, Action, WeightBasisPoints
from pitwall_crds.rollout.fallback import CandidateFallback
from pitwall_crds.rollout.gate import Gate
from pitwall_crds.rollout.schedule import Schedule
from pitwall_crds.rollout.status import RolloutStatus

RESERVED_FLAG = (
    f"flag must not end with {names.SHADOW_SUFFIX} or {names.EXPERIMENT_SUFFIX}, or contain {names.EXPERIMENT_INFIX}: "
    "the flags of another rollout's copies are called so"
)

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
        ),
        (
            "!has(self.maxSeconds) || self.maxSeconds == 0"
            " || self.maxSeconds >= (has(self.minSeconds) ? self.minSeconds : 60)",
            "maxSeconds must be 0 (no deadline) or at least minSeconds",
        ),
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
    bake_control_basis_points: Annotated[
        int,
        Field(
            ge=0,
            le=5000,
            description="While baking, this share stays on the old sampler, so that there is something to compare "
            "with. 0: nobody; then only objectives act, and gross slowness.",
        ),
    ] = 500
    approval: Approval = Approval.AUTOMATIC

    @model_validator(mode="after")
    def _shadow_or_weight(self) -> "Stage":
        if (self.shadow is None) == (self.weight_basis_points is None):
            raise ValueError("a stage must set exactly one of shadow and weightBasisPoints")
        if 0 < self.max_seconds < self.min_seconds:
            raise ValueError(
                f"maxSeconds must be 0 (no deadline) or at least minSeconds {self.min_seconds}, not {self.max_seconds}"
            )
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
        int | None,
        Field(
            ge=1,
            le=3600,
            description="Least length of one block; queries of a block may be correlated, blocks are not. Default: "
            "what gateways measure of the stable variant's traffic, from 2 on; 30 until they have seen enough.",
        ),
    ] = None
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


class OnDeadline(StrEnum):
    """What happens when pods are not ready, or a split is not in force, for spec.progressDeadlineSeconds."""

    HOLD = "Hold"
    FLAG_OFF = "FlagOff"


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
        (
            "!has(self.experiments) || self.experiments.all(e, e.variantRef.name != self.variantRef.name"
            " && self.experiments.exists_one(other, other.variantRef.name == e.variantRef.name))",
            "experiments must name different variants, and not the one in variantRef",
        ),
        (
            f"!self.flag.endsWith('{names.SHADOW_SUFFIX}') && !self.flag.endsWith('{names.EXPERIMENT_SUFFIX}')"
            f" && !self.flag.contains('{names.EXPERIMENT_INFIX}')",
            RESERVED_FLAG,
        ),
        (
            "self.flag == oldSelf.flag",
            "flag must not change: its users are bucketed; delete the Rollout and apply it anew",
        ),
    )

    flag: Annotated[
        str,
        Field(
            min_length=1,
            max_length=names.FLAG_CHARACTERS,
            pattern=names.FLAG_KEY,
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
    candidate_fallback: Annotated[
        CandidateFallback | None,
        Field(
            description="Where it is given: while stable's pods cannot be reached or fail, the candidate answers their "
            "users, unless it is killed or flagged off. Such answers count for no arm."
        ),
    ] = None
    experiments: Annotated[
        tuple[Experiment, ...], Field(max_length=8, description="Further variants that only ever see copies.")
    ] = ()
    schedule: Schedule = Schedule()
    scale_down_delay_seconds: Annotated[
        int,
        Field(
            ge=0, le=86_400, description="How long the pods of a variant that was taken off are kept for inspection."
        ),
    ] = 30
    analysis: Analysis
    on_inconclusive: OnInconclusive = OnInconclusive.HOLD
    progress_deadline_seconds: Annotated[
        int,
        Field(
            ge=0,
            le=31_536_000,
            description="How long pods and splits may be waited for before the Rollout is Stalled; 0: for ever.",
        ),
    ] = 600
    on_deadline: Annotated[
        OnDeadline,
        Field(
            description="Then: Hold goes on waiting and says so; FlagOff takes a candidate off that never got ready."
        ),
    ] = OnDeadline.HOLD
    rollback_window_seconds: Annotated[
        int,
        Field(
            ge=0,
            le=31_536_000,
            description="A variant that served everybody within this time needs no stages to come back; 0: it does.",
        ),
    ] = 0
    paused: Annotated[
        bool,
        Field(
            description="Gives the candidate no more users than it has; evidence is still gathered, harm and a kill "
            "switch still take it off."
        ),
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

    @model_validator(mode="after")
    def _flag_is_nobodys_copy(self) -> "RolloutSpec":
        if names.is_reserved(self.flag):
            raise ValueError(RESERVED_FLAG)
        return self

    @model_validator(mode="after")
    def _experiments_differ(self) -> "RolloutSpec":
        variants = [self.variant_ref.name, *(experiment.variant_ref.name for experiment in self.experiments)]
        if len(set(variants)) != len(variants):
            raise ValueError(f"experiments must name different variants, and not the one in variantRef, got {variants}")
        return self


class Rollout(Resource):
    """One flag's way from the stable variant to the desired one."""

    model_config = cel_rules(ABORT_GOES_FIRST)

    api_version: Literal["pitwall.dev/v1alpha1"] = names.API_VERSION
    kind: Literal["Rollout"] = "Rollout"
    metadata: Metadata
    spec: RolloutSpec
    status: RolloutStatus = RolloutStatus()

"""The status of a Rollout: where it stands, each gate's evidence, and what was decided."""

from enum import StrEnum
from typing import Annotated, Final

from pydantic import Field

from pitwall_crds import names
from pitwall_crds.resource import Border, Condition, Name, Packed, keyed_by

MOST_MISSING: Final = 1_000_000_000
"""Trials until a proof: more is as good as never."""
REMEMBERED_ACTIONS: Final = 64
"""So many ids of requests a Rollout remembers."""


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


class EdgeStatus(Border):
    """One threshold of a quantile gate: beyond it a query counts as slow."""

    control: Annotated[Decimal, Field(description="Seconds, for the control arm.")]
    candidate: Annotated[Decimal, Field(description="Seconds, for the candidate.")]
    share: Annotated[
        Decimal | None,
        Field(description="Of stable's questions beyond the control's threshold, when it was frozen; 1 is all."),
    ] = None


class TailStatus(EdgeStatus):
    """A quantile gate's thresholds, frozen from the control's history: beyond them a query counts as bad."""

    further: Annotated[
        tuple[EdgeStatus, ...],
        Field(max_length=8, description="At lower quantiles, where a change of the whole distribution shows first."),
    ] = ()
    lowered: Annotated[
        bool | None,
        Field(
            description="Whether the gate's own threshold would lie beyond what is measured, so that these are the "
            "highest that are: they can prove harm, and let nothing pass. Where it is missing, the highest are taken "
            "for such."
        ),
    ] = None


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
        int, Field(ge=-1, description="Until a proof at current rates; -1 is unknown.", le=MOST_MISSING)
    ] = -1
    evidence: Annotated[tuple[ProcessStatus, ...], Field(max_length=16, description="The gate's e-processes.")] = ()
    tail: TailStatus | None = None
    first_trial_time: Annotated[
        str, Field(max_length=40, description="When the candidate first counted; warmupSeconds begin here.")
    ] = ""
    rule: Annotated[
        str, Field(max_length=16, description="Hash of what is counted; after an edit of that the gate begins anew.")
    ] = ""
    begun_after: Annotated[
        str, Field(max_length=40, description="The block after which it began anew; empty: it began with the run.")
    ] = ""
    proof_after: Annotated[
        str, Field(max_length=40, description="The block after which the proof of the present stage began.")
    ] = ""
    state: Annotated[Packed, Field(description="Sufficient statistics as JSON; decimals as strings.")] = {}


class HistoryEntry(Border):
    """One decision that changed something."""

    time: Annotated[str, Field(max_length=40, description="When, RFC 3339.")]
    reason: Annotated[str, Field(max_length=64, description="Why, as one CamelCase word.")]
    message: Annotated[str, Field(max_length=1024, description="What was decided, and on which evidence.")]
    variant: Annotated[str, Field(max_length=63, description="The variant that it is about.")] = ""


class FlaggedOff(Border):
    """A variant that was taken off; it stays off until its spec changes or a retry is asked."""

    variant: Annotated[Name, Field(description="The variant's name.")]
    revision: Annotated[
        str, Field(max_length=64, description="Hash of the spec that was taken off; empty until it is declared.")
    ]
    gate: Annotated[str, Field(max_length=63, description="The gate that proved it worse; empty if none did.")]
    message: Annotated[str, Field(max_length=1024, description="The evidence in a sentence.")]
    time: Annotated[str, Field(max_length=40, description="When, RFC 3339.")]
    aborted: Annotated[bool, Field(description="A person took it off, or the kill switch did; not evidence.")] = False


class ServedVariant(Border):
    """A variant that served everybody before the present one."""

    variant: Annotated[Name, Field(description="The variant's name.")]
    revision: Annotated[str, Field(max_length=64, description="Hash of the spec that served.")]
    until: Annotated[str, Field(max_length=40, description="When another one took its place, RFC 3339.")]


class FastTrack(Border):
    """A run that passes stages without proof: somebody asked for it, or the variant served lately."""

    stages: Annotated[
        tuple[Annotated[int, Field(ge=0, le=16)], ...],
        Field(max_length=16, description="Indices of the stages that it passes; the last is the last of spec.stages."),
    ]
    reason: Annotated[str, Field(max_length=512, description="Who asked, and why; or when it served.")]
    undo: Annotated[bool, Field(description="Whether it takes back a promotion: then no gate stops it.")] = False


class RolloutStatus(Border):
    """What is known. It is the whole memory of the decision."""

    observed_generation: Annotated[
        int, Field(ge=0, le=2**53, description="The metadata.generation that this status is about.")
    ] = 0
    phase: Phase = Phase.PENDING
    stage: Annotated[
        str, Field(max_length=32, description="The present stage in a word: shadow, 1%, bake, stable.")
    ] = ""
    weight: Annotated[str, Field(max_length=8, description="The candidate's share of the traffic, such as 10%.")] = ""
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
    stage_entered_time: Annotated[
        str,
        Field(
            max_length=40,
            description="When the present stage was decided on, RFC 3339: waiting for capacity counts for maxSeconds.",
        ),
    ] = ""
    unwatched_seconds: Annotated[
        int,
        Field(
            ge=0,
            le=2**31 - 1,
            description="Seconds of the present stage in which nothing could be measured: they count neither for a "
            "bake nor for maxSeconds.",
        ),
    ] = 0
    waiting_since: Annotated[
        str,
        Field(
            max_length=40,
            description="Since when pods or a split are waited for, RFC 3339; progressDeadlineSeconds begin here.",
        ),
    ] = ""
    last_block_time: Annotated[
        str, Field(max_length=40, description="End of the last block that was counted, RFC 3339.")
    ] = ""
    block_seconds: Annotated[
        int, Field(ge=0, le=3600, description="Least length of this run's blocks; it only ever grows.")
    ] = 0
    block_reason: Annotated[str, Field(max_length=128, description="Why blocks are so long.")] = ""
    plan: Annotated[
        tuple[Annotated[str, Field(max_length=256)], ...],
        Field(
            max_length=8,
            description="How long this run takes and whom a bad candidate reaches, by the traffic when it began.",
        ),
    ] = ()
    disturbed: Annotated[
        str,
        Field(
            max_length=256,
            description="Why the present block will not be weighed: what happened to pods by no fault of their own.",
        ),
    ] = ""
    silent_since: Annotated[
        str,
        Field(
            max_length=40,
            description="Since when not even a machine answers at an arm's pods, RFC 3339: the present block waits for "
            "what the platform says of them.",
        ),
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
    cursor: Annotated[Packed, Field(description="Raw counters at the end of the last block, as JSON.")] = {}
    users: Annotated[
        Packed,
        Field(description="Users per arm under the present split, by gateway, and whether they fit its weights; JSON."),
    ] = {}
    experiments: Annotated[
        tuple[Name, ...], Field(max_length=16, description="Variants that get copies beside the candidate.")
    ] = ()
    served: Annotated[
        tuple[ServedVariant, ...],
        Field(
            max_length=8, description="What served everybody before, oldest first; pitwall undo returns to the last."
        ),
    ] = ()
    fast_track: FastTrack | None = None
    full_replicas: Annotated[
        int,
        Field(ge=0, le=1000, description="Pods that served everybody when the run began; the run's share is of these."),
    ] = 0
    flagged_off: Annotated[
        tuple[FlaggedOff, ...], Field(max_length=16, description="Variants that were proven worse.")
    ] = ()
    approved_stage: Annotated[
        int, Field(ge=-1, le=16, description="The last stage that a person approved; -1 is none.")
    ] = -1
    last_action_id: Annotated[
        str, Field(max_length=64, description="The last spec.action.id that was carried out.")
    ] = ""
    past_action_ids: Annotated[
        tuple[Annotated[str, Field(max_length=64)], ...],
        Field(
            max_length=REMEMBERED_ACTIONS,
            description="The ids that were carried out, or told to change nothing, the last one last: none is again.",
        ),
    ] = ()
    conditions: Annotated[
        tuple[Condition, ...],
        Field(
            max_length=12,
            description="Ready, Progressing and what stands in their way.",
            json_schema_extra=keyed_by("type"),
        ),
    ] = ()
    history: Annotated[
        tuple[HistoryEntry, ...],
        Field(max_length=32, description="The last decisions that changed something, oldest first."),
    ] = ()

    def has_dealt_with(self, action_id: str) -> bool:
        """Whether a request of this id was carried out, or told to change nothing; a status of an older version knows
        the last id alone."""
        return action_id == self.last_action_id or action_id in self.past_action_ids

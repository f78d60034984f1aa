"""Describes a decided status in Kubernetes' terms: conditions, verdict and reason.

Pure: no clock, chance or I/O.
"""

import re
from dataclasses import dataclass

from pitwall_crds.names import Arm, EventReason
from pitwall_crds.resource import DNS_LABEL, Condition, ConditionStatus
from pitwall_crds.rollout.rollout import Rollout
from pitwall_crds.rollout.status import ArmWeight, Phase, RolloutStatus, Verdict
from pitwall_operator.decision.weighing.analyze import Judgement
from pitwall_operator.values import timestamps
from pitwall_operator.values.observation import SplitSeen
from pitwall_operator.values.reason import WAITING, StatusReason
from pitwall_operator.values.stages import stage_name


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a status tells beside where it stands.

    Attributes:
        killed: which version of the flag is killed; empty if none is, None if that cannot be seen.
        refused: what could not be done, in the words of whoever refused it.
        late: why waiting has taken too long.
    """

    killed: str | None = None
    refused: str = ""
    late: str = ""


def weights(split: SplitSeen) -> tuple[ArmWeight, ...]:
    """A seen split as a status holds it; without shares of what cannot be a variant, which somebody else wrote."""
    return tuple(
        ArmWeight(arm=share.arm, variant=share.variant, weight_basis_points=share.weight)
        for share in split.shares
        if len(share.variant) <= 63 and re.fullmatch(DNS_LABEL, share.variant)
    )


def _truth(claim: bool) -> ConditionStatus:
    return ConditionStatus.TRUE if claim else ConditionStatus.FALSE


def _condition(rollout: Rollout, kind: str, status: ConditionStatus, why: StatusReason, now: float) -> Condition:
    """The condition; its transition time moves only when its status does."""
    known = next((c for c in rollout.status.conditions if c.type == kind), None)
    since = known.last_transition_time if known and known.status == status else timestamps.to_text(now)
    return Condition(
        type=kind,
        status=status,
        observed_generation=rollout.metadata.generation,
        last_transition_time=since,
        reason=why.word,
        message=why.message[:2048],
    )


def stage_word(rollout: Rollout, status: RolloutStatus, killed: str | None) -> str:
    """The stage as people call it: shadow, 1%, bake; killed, stable, flagged off, aborted where nothing moves."""
    if killed:
        return "killed"
    match status.phase:
        case Phase.SHADOW | Phase.CANARY:
            return stage_name(rollout.spec, status.stage_index)
        case Phase.FLAGGED_OFF:
            return "flagged off"
        case phase:
            return phase.lower()


def _sample_ratio(rollout: Rollout, judgement: Judgement, now: float) -> Condition:
    """Whether users are split as the flag says."""
    ratio = judgement.sample_ratio
    if mismatch := ratio.mismatch():
        return _condition(rollout, "SampleRatio", ConditionStatus.FALSE, StatusReason("Mismatch", mismatch), now)
    if not sum(ratio.users):
        none = StatusReason("NoUsers", "users are counted while a split between arms is in force")
        return _condition(rollout, "SampleRatio", ConditionStatus.UNKNOWN, none, now)
    return _condition(rollout, "SampleRatio", ConditionStatus.TRUE, StatusReason("AsConfigured", ratio.standing()), now)


def _killed(rollout: Rollout, status: RolloutStatus, killed: str | None, now: float) -> Condition:
    """Whether the flag's kill switch is on."""
    if killed is None:
        unseen = StatusReason("FlagUnseen", "the flag could not be looked at")
        return _condition(rollout, "Killed", ConditionStatus.UNKNOWN, unseen, now)
    if not killed:
        return _condition(rollout, "Killed", ConditionStatus.FALSE, StatusReason("NotKilled", ""), now)
    words = f"the flag {rollout.spec.flag} is killed ({killed}): {status.stable_variant or 'its default'} serves "
    told = StatusReason("Killed", words + "everybody, and nothing begins until pitwall release")
    return _condition(rollout, "Killed", ConditionStatus.TRUE, told, now)


def _applied(rollout: Rollout, refused: str, now: float) -> Condition:
    """Whether all that was to be done could be done."""
    told = StatusReason(EventReason.REFUSED, refused) if refused else StatusReason("Done", "")
    return _condition(rollout, "Applied", _truth(not refused), told, now)


def describe(
    rollout: Rollout,
    status: RolloutStatus,
    judgement: Judgement,
    why: StatusReason,
    *,
    now: float,
    circumstances: Circumstances = Circumstances(),
) -> RolloutStatus:
    """The status with verdict, reason, conditions and observedGeneration.

    Ready: the desired variant serves everybody. Progressing: a candidate is on its way. Degraded: the desired
    variant is off, or its pods are overdue; Stalled says the same to kstatus, which knows no other word for it.
    Measured: there is evidence to decide on. SampleRatio: users are split as the flag says. Killed: the flag's kill
    switch is on. Applied: all that was to be done could be done.
    """
    moving = bool(status.candidate_variant)
    off = status.phase in (Phase.FLAGGED_OFF, Phase.ABORTED)
    stalled = StatusReason(EventReason.DEADLINE, circumstances.late) if circumstances.late and not off else why
    bad = off or bool(circumstances.late)
    verdict = judgement.verdict if moving else status.verdict
    arrived = status.phase is Phase.STABLE and why.word == Phase.STABLE
    weight = sum(share.weight_basis_points for share in status.weights if share.arm is Arm.CANDIDATE)
    told = "; ".join(filter(None, (why.message, judgement.warning)))
    measured = ConditionStatus.UNKNOWN if not moving else _truth(verdict is not Verdict.UNMEASURED)
    return status.model_copy(
        update={
            "observed_generation": rollout.metadata.generation,
            "stage": stage_word(rollout, status, circumstances.killed),
            "weight": f"{weight / 100:g}%",
            "verdict": verdict,
            "reason": why.message[:256],
            "conditions": (
                _condition(rollout, "Ready", _truth(arrived), why, now),
                _condition(rollout, "Progressing", _truth(moving or why.word == WAITING), why, now),
                _condition(rollout, "Degraded", _truth(bad), stalled, now),
                _condition(rollout, "Stalled", _truth(bad), stalled, now),
                _condition(rollout, "Measured", measured, StatusReason(verdict.value, told), now),
                _sample_ratio(rollout, judgement, now),
                _killed(rollout, status, circumstances.killed, now),
                _applied(rollout, circumstances.refused, now),
            ),
        }
    )


def with_contest(rollout: Rollout, status: RolloutStatus, rival: str, *, now: float) -> RolloutStatus:
    """The status with what is wrong about who takes care of it: another operator wants to; nothing where none does."""
    if not rival:
        return status
    contested = _condition(rollout, "Contested", ConditionStatus.TRUE, StatusReason("AnotherOperator", rival), now)
    return status.model_copy(update={"conditions": (*status.conditions, contested)})

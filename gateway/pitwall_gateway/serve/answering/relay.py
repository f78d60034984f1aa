"""Answers one question: asks the assigned variant, falls back to another once, and counts the outcome."""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from pitwall_crds.names import Arm, Header, TrialKind
from pitwall_gateway.counting.series import ArmSeries
from pitwall_gateway.counting.tally import End
from pitwall_gateway.counting.telemetry import GatewayTelemetry
from pitwall_gateway.flags.assign import Assigner
from pitwall_gateway.pools.circuits import Circuits
from pitwall_gateway.pools.recent import RecentQuestions
from pitwall_gateway.pools.upstream import Call
from pitwall_gateway.serve.answering.excuses import Excuses
from pitwall_gateway.serve.answering.sparing import Sparing
from pitwall_gateway.serve.answering.substitutes import Substitutes
from pitwall_gateway.values.answer import (
    FailureKind,
    Reply,
    VariantAnswer,
    VariantFailure,
    VariantRefusal,
    blames_video,
    had_less_to_do,
    is_fair,
)
from pitwall_gateway.values.question import Question
from pitwall_gateway.values.speaker import Party

UNHEARD: Final = frozenset({End.UNMEASURED, End.ABANDONED, End.EXCUSED, End.KEPT})
"""What opinions are nobody's of: another one answered, and that is not the assigned variant's error."""


@dataclass(frozen=True, slots=True)
class RelayedAnswer:
    """What a user gets. `assigned` is whose series it counts on, `by` who really answered; they differ on fallback.
    `failure` is why the assigned variant did not answer; `hurried`: it had too little time, by its caller's wish;
    `excused`: it says that the video was at fault, or not prepared yet, more often than that counts nowhere."""

    reply: Reply
    assigned: ArmSeries
    by: ArmSeries
    failure: VariantFailure | None = None
    hurried: bool = False
    excused: bool = False

    @property
    def fallback(self) -> FailureKind | None:
        """Why another one answered than was assigned; None if none did."""
        return self.failure.fault if self.failure and isinstance(self.reply, VariantAnswer) else None

    @property
    def comparable(self) -> bool:
        """True if stable's sampler answered as assigned, so that a shadow copy may be compared with it."""
        return (
            isinstance(self.reply, VariantAnswer) and self.fallback is None and self.assigned.arm is not Arm.CANDIDATE
        )

    @property
    def end(self) -> End:
        """How the question ended for its user. What stable fails too, in whatever way, says nothing of any variant. Who
        names a time and who leaves when it is over are the same."""
        match self.reply:
            case VariantRefusal():
                return End.REFUSED
            case VariantFailure():
                return End.UNMEASURED
            case VariantAnswer():
                if self.failure is None:
                    return End.ANSWERED
                if self.failure.counts:
                    return End.FELL_BACK
                if self.excused:
                    return End.EXCUSED
                if self.failure.fault is FailureKind.CIRCUIT_OPEN and self.by.arm is Arm.STABLE:
                    return End.KEPT
                return End.ABANDONED if self.hurried else End.UNMEASURED

    @property
    def counted(self) -> ArmSeries:
        """Whose series opinions of this answer count on."""
        return replace(self.assigned, run="") if self.end in UNHEARD else self.assigned


FIRST_PART: Final = 2 / 3
"""Of a question's time, what the assigned variant has; the rest is for stable, should it fail."""
HURRY_SECONDS: Final = 1.0
"""So much less than the usual time is the caller's own hurry."""
HOPELESS: Final = frozenset({FailureKind.UNROUTED, FailureKind.SATURATED})
"""What asking the same pool once more does not mend."""


class Relay:
    """Asks the assigned variant, and when it fails another one: stable in a candidate's place, and in stable's, where
    its pods cannot answer, a candidate that may. Nobody is asked a third time."""

    def __init__(
        self,
        assigner: Assigner,
        circuits: Circuits,
        telemetry: GatewayTelemetry,
        recent: RecentQuestions,
        answer_seconds: float,
        substitutes: Substitutes,
    ) -> None:
        self._assigner = assigner
        self._circuits = circuits
        self._telemetry = telemetry
        self._recent = recent
        self._answer_seconds = answer_seconds
        self._substitutes = substitutes
        self._sparing = Sparing()
        self._excuses = Excuses()

    async def answer(self, question: Question, headers: Mapping[str, str], seconds: float = math.inf) -> RelayedAnswer:
        """What the user gets, already counted. It is there within these seconds, or within the usual ones."""
        started = time.monotonic()
        assigned = self._assigned(question)
        waiting, end = self._telemetry.evidence.opened(assigned, started), End.ABANDONED
        past = None if self._substitutes.at_work else self._telemetry.history.asked(assigned, question.party)
        try:
            served = await self._ask(assigned, question, headers, started + min(seconds, self._answer_seconds))
            end = served.end
        finally:
            seconds = time.monotonic() - started
            self._telemetry.closed(waiting, assigned, TrialKind.QUESTION, question.party, end, seconds)
            self._telemetry.history.closed(past, end, seconds)
        self._count(served, question.party, seconds)
        if isinstance(served.reply, VariantAnswer) and served.fallback is None:
            self._telemetry.history.measured(past, served.reply)
        if isinstance(served.reply, VariantAnswer):
            self._recent.keep(question.body, question.party)
        return served

    def _assigned(self, question: Question) -> ArmSeries:
        """Whose series the question counts on; a user who is new under this split is counted as met, and remembered
        only then, so that who counts for nothing takes no place. An arm is a name's, through whichever application."""
        assignment, party = self._assigner.assign(question.targeting_key), question.party
        if assignment.variant:
            self._assigner.meets(question.user, lambda split: self._telemetry.met(assignment.series, split, party))
        if self._substitutes.at_work:
            return replace(assignment.series, run="")
        return self._telemetry.weighed(assignment.series, TrialKind.QUESTION, party)

    async def _ask(
        self, assigned: ArmSeries, question: Question, headers: Mapping[str, str], ends: float
    ) -> RelayedAnswer:
        if not assigned.variant:
            nobody = VariantFailure(FailureKind.UNROUTED, "the routes file holds no URL")
            return RelayedAnswer(nobody, assigned, assigned, nobody)
        self._excuses.asked(assigned)
        now = time.monotonic()
        call = Call(
            assigned.variant,
            assigned.arm,
            question.body,
            {**headers, Header.ARM: assigned.arm},
            question.party,
            now + (ends - now) * FIRST_PART,
            hurried=ends - now < self._answer_seconds - HURRY_SECONDS,
        )
        if why := self._substitutes.why_not_stable(call):
            return await self._substitute(RelayedAnswer(why, assigned, assigned, why), why, call, ends)
        reply = await self._circuits.ask(call)
        served = RelayedAnswer(reply, assigned, assigned, reply if isinstance(reply, VariantFailure) else None)
        if isinstance(reply, VariantFailure) and self._substitutes.comes_second(call, reply):
            self._substitutes.tell(call, reply)
            return await self._substitute(served, reply, call, ends)
        if not isinstance(reply, VariantFailure):
            self._substitutes.answered(call, reply)
        if isinstance(reply, VariantAnswer) or (assigned.arm is Arm.STABLE and not _may_mend(reply)):
            return served
        return await self._fall_back(served, call, ends, ends - now)

    async def _substitute(
        self, served: RelayedAnswer, failure: VariantFailure, call: Call, ends: float
    ) -> RelayedAnswer:
        """The candidate's answer in stable's place. It is no arm's evidence, since no draw sent it there; and where the
        candidate refuses or fails, nobody answers."""
        who, reply = await self._substitutes.ask(call, ends)
        if who:
            self._telemetry.substituted(ArmSeries(who, call.arm), answered=isinstance(reply, VariantAnswer))
        if not isinstance(reply, VariantAnswer):
            return served
        by = ArmSeries(who, Arm.CANDIDATE)
        return RelayedAnswer(reply, served.assigned, by, replace(failure, counts=False))

    async def _fall_back(self, served: RelayedAnswer, call: Call, ends: float, given: float) -> RelayedAnswer:
        """Stable's word on a question that its assigned variant did not answer, asked once; on a question of stable's
        own it is another try, so that the same can be said of every arm: it failed what stable answers.

        A question that stable fails or refuses too is nobody's evidence. Nor is one about a video that its server did
        not give to both alike, or that stable alone had prepared, by the variant's own word; beyond a part of its
        questions that lets it not pass either.
        """
        stable = ArmSeries(self._assigner.stable_variant(), Arm.STABLE)
        headers = {**call.headers, Header.ARM: Arm.STABLE}
        reply = await self._circuits.ask(
            replace(call, variant=stable.variant, arm=stable.arm, headers=headers, ends=ends)
        )
        self._substitutes.tell(call, reply)
        if isinstance(reply, VariantFailure):
            return served
        if isinstance(reply, VariantRefusal):
            return RelayedAnswer(reply, served.assigned, stable)  # its words tell nobody of a candidate
        failure = served.failure or _contradicted(served.reply)
        excusable = blames_video(failure, reply) or self._is_spared(call.variant, failure, reply)
        excused = excusable and not self._excuses.takes(served.assigned)
        fair = is_fair(failure, reply, given, self._answer_seconds)
        hurried = not excusable and not fair
        if excusable or not fair:
            failure = replace(failure, counts=False)
        if call.arm is not Arm.STABLE and failure.counts and failure.fault is not FailureKind.CIRCUIT_OPEN:
            self._circuits.failed(call)
        return RelayedAnswer(reply, served.assigned, stable, failure, hurried, excused)

    def _is_spared(self, variant: str, failure: VariantFailure, answer: VariantAnswer) -> bool:
        return had_less_to_do(failure, answer) and self._sparing.is_new(variant, failure.video or "")

    def _count(self, served: RelayedAnswer, party: Party, seconds: float) -> None:
        match served.reply:
            case VariantRefusal(status=status):
                self._telemetry.refused(served.assigned, status)
            case VariantFailure():
                self._telemetry.failed(served.assigned)
            case VariantAnswer() if served.fallback is not None:
                self._telemetry.fell_back(served.assigned, served.fallback, seconds)
            case VariantAnswer() as answer:
                self._telemetry.answered(served.assigned, seconds)
                self._telemetry.measured(served.assigned, TrialKind.QUESTION, party, answer)


def _may_mend(reply: Reply) -> bool:
    """Whether stable may answer at a second try what it failed at the first."""
    return isinstance(reply, VariantFailure) and reply.fault not in HOPELESS


def _contradicted(reply: Reply) -> VariantFailure:
    """The failure of a variant that refused what stable answers."""
    words, video, code = (
        (reply.message, reply.video, reply.code) if isinstance(reply, VariantRefusal) else ("", None, "")
    )
    return VariantFailure(FailureKind.REFUSED, f"refuses what stable answers: {words}", video=video, code=code)

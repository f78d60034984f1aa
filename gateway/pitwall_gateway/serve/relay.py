"""Answers one question: asks the assigned variant, falls back to stable, and counts the outcome."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

from pitwall_crds.names import Arm, Header
from pitwall_gateway.counting.series import ArmSeries
from pitwall_gateway.counting.shares import QUESTION
from pitwall_gateway.counting.tally import End
from pitwall_gateway.counting.telemetry import GatewayTelemetry
from pitwall_gateway.flags.assign import Assigner
from pitwall_gateway.pools.circuits import Circuits
from pitwall_gateway.pools.recent import RecentQuestions
from pitwall_gateway.pools.upstream import Call
from pitwall_gateway.values.answer import FailureKind, Reply, VariantAnswer, VariantFailure, VariantRefusal
from pitwall_gateway.values.question import Question


@dataclass(frozen=True, slots=True)
class RelayedAnswer:
    """What a user gets. `assigned` is whose series it counts on, `by` who really answered; they differ on fallback.
    `failure` is why the assigned variant did not answer."""

    reply: Reply
    assigned: ArmSeries
    by: ArmSeries
    failure: VariantFailure | None = None

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
        """How the question ended for its user."""
        match self.reply:
            case VariantRefusal():
                return End.REFUSED
            case VariantFailure():
                return End.FAILED
            case VariantAnswer():
                return End.ANSWERED if self.fallback is None else End.FELL_BACK


class Relay:
    """Asks the assigned variant, and stable in its place when it fails."""

    def __init__(
        self, assigner: Assigner, circuits: Circuits, telemetry: GatewayTelemetry, recent: RecentQuestions
    ) -> None:
        self._assigner = assigner
        self._circuits = circuits
        self._telemetry = telemetry
        self._recent = recent

    async def answer(self, question: Question, headers: Mapping[str, str]) -> RelayedAnswer:
        """What the user gets, already counted."""
        started = time.monotonic()
        assigned = self._assigned(question)
        waiting, end = self._telemetry.evidence.opened(assigned, started), End.ABANDONED
        try:
            served = await self._ask(assigned, question, headers)
            end = served.end
        finally:
            seconds = time.monotonic() - started
            self._telemetry.evidence.closed(waiting, end, seconds)
        self._count(served, seconds)
        if isinstance(served.reply, VariantAnswer):
            self._recent.keep(question.body)
        return served

    def _assigned(self, question: Question) -> ArmSeries:
        """Whose series the question counts on; a user who is new under this split is counted as met."""
        assignment = self._assigner.assign(question.targeting_key)
        split = self._assigner.meets(question.user) if assignment.variant else None
        if split is not None:
            self._telemetry.met(assignment.series, split)
        return self._telemetry.weighed(assignment.series, QUESTION, question.party)

    async def _ask(self, assigned: ArmSeries, question: Question, headers: Mapping[str, str]) -> RelayedAnswer:
        if not assigned.variant:
            nobody = VariantFailure(FailureKind.UNROUTED, "the routes file holds no URL")
            return RelayedAnswer(nobody, assigned, assigned, nobody)
        call = Call(assigned.variant, assigned.arm, question.body, {**headers, Header.ARM: assigned.arm})
        reply = await self._circuits.ask(call)
        served = RelayedAnswer(reply, assigned, assigned, reply if isinstance(reply, VariantFailure) else None)
        if isinstance(reply, VariantAnswer) or assigned.arm is Arm.STABLE:
            return served
        return await self._fall_back(served, call)

    async def _fall_back(self, served: RelayedAnswer, call: Call) -> RelayedAnswer:
        """Stable's word on a question that its assigned variant did not answer.

        A question that stable refuses too is at fault itself; what only the assigned variant refuses counts against it.
        """
        stable = ArmSeries(self._assigner.stable_variant(), Arm.STABLE)
        headers = {**call.headers, Header.ARM: Arm.STABLE}
        reply = await self._circuits.ask(replace(call, variant=stable.variant, arm=stable.arm, headers=headers))
        if isinstance(reply, VariantFailure):
            return served
        if isinstance(served.reply, VariantFailure):
            return RelayedAnswer(reply, served.assigned, stable, served.reply)
        if isinstance(reply, VariantRefusal) or isinstance(served.reply, VariantAnswer):
            return served
        self._circuits.told(call, failed=True)
        failure = VariantFailure(FailureKind.REFUSED, f"refuses what stable answers: {served.reply.message}")
        return RelayedAnswer(reply, served.assigned, stable, failure)

    def _count(self, served: RelayedAnswer, seconds: float) -> None:
        match served.reply:
            case VariantRefusal(status=status):
                self._telemetry.refused(served.assigned, status)
            case VariantFailure():
                self._telemetry.failed(served.assigned)
            case VariantAnswer() if served.fallback is not None:
                self._telemetry.fell_back(served.assigned, served.fallback, seconds)
            case VariantAnswer() as answer:
                self._telemetry.answered(served.assigned, seconds)
                self._telemetry.evidence.measured(served.assigned, answer)

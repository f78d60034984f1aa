"""Answers one question: asks the assigned variant, falls back to stable, and counts the outcome."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

from pitwall_crds.names import Arm, Header
from pitwall_gateway.flags.assign import Assigner, Assignment
from pitwall_gateway.pools.circuits import Circuits
from pitwall_gateway.pools.upstream import Call
from pitwall_gateway.values.answer import FailureKind, Reply, VariantAnswer, VariantFailure, VariantRefusal
from pitwall_gateway.values.question import Question
from pitwall_gateway.values.telemetry import ArmSeries, GatewayTelemetry


@dataclass(frozen=True, slots=True)
class RelayedAnswer:
    """What a user gets. `assigned` is whose series it counts on, `by` who really answered; they differ on fallback."""

    reply: Reply
    assigned: ArmSeries
    by: ArmSeries
    fallback: FailureKind | None = None

    @property
    def comparable(self) -> bool:
        """True if stable's sampler answered as assigned, so that a shadow copy may be compared with it."""
        return (
            isinstance(self.reply, VariantAnswer) and self.fallback is None and self.assigned.arm is not Arm.CANDIDATE
        )


class Relay:
    """Asks the assigned variant, and stable in its place when it fails."""

    def __init__(self, assigner: Assigner, circuits: Circuits, telemetry: GatewayTelemetry) -> None:
        self._assigner = assigner
        self._circuits = circuits
        self._telemetry = telemetry

    async def answer(self, question: Question, headers: Mapping[str, str]) -> RelayedAnswer:
        """What the user gets, already counted."""
        started = time.monotonic()
        assignment = self._assigner.assign(question.targeting_key)
        split = self._assigner.meets(question.user) if assignment.variant else None
        if split is not None:
            self._telemetry.met(ArmSeries(assignment.variant, assignment.arm), split)
        served = await self._ask(assignment, question, headers)
        self._count(served, time.monotonic() - started)
        return served

    async def _ask(self, assignment: Assignment, question: Question, headers: Mapping[str, str]) -> RelayedAnswer:
        assigned = ArmSeries(assignment.variant, assignment.arm)
        if not assignment.variant:
            return RelayedAnswer(
                VariantFailure(FailureKind.UNROUTED, "the routes file holds no URL"), assigned, assigned
            )
        call = Call(assigned.variant, assigned.arm, question.body, {**headers, Header.ARM: assigned.arm})
        reply = await self._circuits.ask(call)
        if isinstance(reply, VariantAnswer) or assigned.arm is Arm.STABLE:
            return RelayedAnswer(reply, assigned, assigned)
        return await self._fall_back(RelayedAnswer(reply, assigned, assigned), call)

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
            return RelayedAnswer(reply, served.assigned, stable, served.reply.fault)
        if isinstance(reply, VariantRefusal):
            return served
        self._circuits.told(call, failed=True)
        return RelayedAnswer(reply, served.assigned, stable, FailureKind.REFUSED)

    def _count(self, served: RelayedAnswer, seconds: float) -> None:
        match served.reply:
            case VariantRefusal(status=status):
                self._telemetry.refused(served.assigned, status)
            case VariantFailure():
                self._telemetry.failed(served.assigned)
            case VariantAnswer() if served.fallback is not None:
                self._telemetry.fell_back(served.assigned, served.fallback, seconds)
            case VariantAnswer():
                self._telemetry.answered(served.assigned, seconds)

"""Takes users' feedback in and exports the quality trials that follow from it."""

import asyncio
import logging
import time
from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from pitwall_crds.host.lasting import lasting
from pitwall_crds.reading.faults import read_body
from pitwall_crds.reading.sent import BodyFaultError
from pitwall_gateway.counting.series import ArmSeries
from pitwall_gateway.counting.telemetry import GatewayTelemetry
from pitwall_gateway.feedback.answer_ids import AnswerIds
from pitwall_gateway.feedback.ledger import FollowUp, Ledger, Thumbed
from pitwall_gateway.feedback.session import QUERY, SESSION, Trial
from pitwall_gateway.feedback.windows import USER
from pitwall_gateway.values.errors import RequestRefusedError
from pitwall_gateway.values.question import Question
from pitwall_gateway.values.speaker import LOCAL, Speaker

log = logging.getLogger(__name__)
SWEEPS_PER_WINDOW = 20


class Thumbs(StrEnum):
    """What a user thinks of one answer."""

    UP = "up"
    DOWN = "down"


class Task(StrEnum):
    """How the job ended for which a user asked questions."""

    COMPLETED = "completed"
    ABANDONED = "abandoned"


class FeedbackBody(BaseModel):
    """Thumbs on an answer, the end of a session's task, or both."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    answer_id: Annotated[str, Field(max_length=256, description="The answer's x-pitwall-answer-id header.")] = ""
    thumbs: Thumbs | None = None
    session: Annotated[
        str,
        Field(
            max_length=256,
            description="The session header of the questions, or their `user` field without one. Thumbs need it too "
            "where the question had one, unless a token says it.",
        ),
    ] = ""
    task: Task | None = None

    @model_validator(mode="after")
    def _whole(self) -> "FeedbackBody":
        if self.thumbs is None and self.task is None:
            raise ValueError("neither thumbs nor task is given; send at least one")
        if self.thumbs is not None and not self.answer_id:
            raise ValueError("thumbs need answer_id, the x-pitwall-answer-id header of the answer")
        if self.task is not None and not self.session:
            raise ValueError(
                "task needs session: the x-pitwall-session header of its questions, or their `user` field without one"
            )
        return self


class FeedbackReceipt(BaseModel):
    """What the feedback did: counted now, or already known and left as it was."""

    model_config = ConfigDict(frozen=True)

    counted: tuple[str, ...]
    already_known: tuple[str, ...]


class Feedback:
    """The ledger of answers with its clock, and a sweep that closes follow-up windows."""

    def __init__(self, ledger: Ledger, telemetry: GatewayTelemetry) -> None:
        self._ledger = ledger
        self._telemetry = telemetry
        self._ids = AnswerIds()
        self._sweeper: asyncio.Task[None] | None = None
        telemetry.label_window(QUERY, ledger.rule.window_seconds)
        telemetry.label_window(SESSION, ledger.rule.session_seconds)
        telemetry.label_window(USER, ledger.rule.user_seconds)

    def start(self) -> None:
        """Begin to close windows in the background; needs a running event loop."""
        self._sweeper = asyncio.create_task(lasting("the sweep of windows", self._sweep))

    async def close(self) -> None:
        """Stop the sweep; labels that are not known yet stay uncounted."""
        if self._sweeper is not None:
            self._sweeper.cancel()
            await asyncio.gather(self._sweeper, return_exceptions=True)

    def asked(self, visit: str) -> FollowUp | None:
        """A question of this session arrived; whether it is a follow-up is settled when it ends."""
        follow_up, trials = self._ledger.asked(visit, time.monotonic())
        self._count(trials)
        return follow_up

    def settle(self, follow_up: FollowUp | None, *, answered: bool) -> None:
        """The question ended: only an answered one follows those before it."""
        if follow_up is not None:
            self._count(self._ledger.settle(follow_up, time.monotonic(), answered=answered))

    def new_answer(self, question: Question) -> str:
        """An id for the answer to come, which is of use to this caller in this session alone."""
        return self._ids.new(question.holder)

    def answered(self, answer_id: str, question: Question, series: ArmSeries) -> None:
        """The answer was given, and counts on this series."""
        given = self._ledger.answered(answer_id, question.visit, series, time.monotonic(), question.party)
        self._count(given)

    def take(self, body: FeedbackBody, speaker: Speaker = LOCAL) -> FeedbackReceipt:
        """Count what is new. Raises RefusedError (404), before anything is counted, for an answer or a session that is
        unknown or another's: which of both is not told."""
        is_new: dict[str, bool] = {}
        session = speaker.session or body.session or speaker.user
        visit = speaker.visit(session)
        if body.task is not None and not self._ledger.knows_session(visit):
            raise self._unknown(
                "session",
                body.session,
                "the x-pitwall-session header of a recent question, or its `user` field without one",
            )
        if body.thumbs is not None:
            thumbed = self._thumb(body, speaker.holder(session))
            if thumbed is None:
                remedy = "the x-pitwall-answer-id header of a recent answer, and as session that of its question"
                raise self._unknown("answer_id", body.answer_id, remedy)
            is_new["thumbs"] = thumbed.is_new
            self._count(thumbed.trials)
        if body.task is not None:
            is_new["task"] = bool(self._ledger.task(visit, abandoned=body.task is Task.ABANDONED))
        return FeedbackReceipt(
            counted=tuple(name for name, new in is_new.items() if new),
            already_known=tuple(name for name, new in is_new.items() if not new),
        )

    def _thumb(self, body: FeedbackBody, holder: str) -> Thumbed | None:
        if not self._ids.belongs(body.answer_id, holder):
            return None
        return self._ledger.thumb(body.answer_id, time.monotonic(), down=body.thumbs is Thumbs.DOWN)

    def _unknown(self, field: str, value: str, remedy: str) -> RequestRefusedError:
        rule = self._ledger.rule
        message = (
            f"{field} {value[:64]!r} is unknown; this gateway remembers the last {rule.capacity} for "
            f"{rule.keep_seconds:g} s: send {remedy}, sooner"
        )
        return RequestRefusedError(404, message, code="unknown_" + field)

    def _count(self, trials: Iterable[Trial]) -> None:
        for trial in trials:
            self._telemetry.quality(trial.series, trial.signal, trial.unit, trial.outcome, trial.party)

    async def _sweep(self) -> None:
        pause = min(max(self._ledger.rule.window_seconds / SWEEPS_PER_WINDOW, 0.05), 1.0)
        while True:
            await asyncio.sleep(pause)
            self._count(self._ledger.sweep(time.monotonic()))


def read_feedback(body: bytes) -> FeedbackBody:
    """The feedback in a body; raises RefusedError (400) that names the field."""
    try:
        return read_body(FeedbackBody, body)
    except BodyFaultError as fault:
        message = f'{fault}; send {{"answer_id": …, "thumbs": "up"|"down"}}'
        raise RequestRefusedError(400, message, code="invalid_feedback") from None

"""Builds the HTTP response: the answer or the error, with headers that name the variant and arm."""

import json
from dataclasses import replace

from starlette.responses import Response

from pitwall_crds.names import Arm, Header
from pitwall_gateway.serve.answering.relay import RelayedAnswer
from pitwall_gateway.serve.http.stream import stream_events
from pitwall_gateway.values.answer import FailureKind, VariantAnswer, VariantFailure, VariantRefusal
from pitwall_gateway.values.question import Question
from pitwall_gateway.values.refusal import error_body
from pitwall_gateway.values.telling import in_own_words, told

JSON = "application/json"
MODEL = "pitwall"
RETRY_SECONDS = 2
TELLING = frozenset({"sampler_variant", "frame_selection_seconds", "cache", "stages"})
"""Details of an answer by which one arm is told from the other at a glance; they are counted before."""


def telling(served: RelayedAnswer, question: Question, *, shows: bool) -> RelayedAnswer:
    """What the user gets, with a refusal as a caller may read it; where arms are not shown, a candidate's own words
    would tell them, too."""
    if not isinstance(served.reply, VariantRefusal):
        return served
    if shows:
        return replace(served, reply=told(served.reply, question.body))
    if served.by.arm is Arm.CANDIDATE:
        return replace(served, reply=in_own_words(served.reply))
    names = {served.assigned.variant, served.by.variant, *Arm}
    return replace(served, reply=told(served.reply, question.body, names))


def respond(served: RelayedAnswer, question: Question, answer_id: str, *, shows: bool) -> Response:
    """The response to one question; `shows` is whether it says who answered. Only an answer takes opinions by its
    id."""
    headers: dict[str, str] = {Header.ANSWER_ID: answer_id}
    if shows:
        headers |= {Header.VARIANT: served.by.variant, Header.ARM: served.by.arm}
        if served.fallback is not None:
            headers[Header.FALLBACK] = served.fallback
    match served.reply:
        case VariantAnswer() as answer:
            return _answer(answer if shows else _anonymous(answer), question, headers)
        case VariantRefusal(status=status, message=message, code=code):
            return Response(error_body(status, message, code=code), status, headers, media_type=JSON)
        case VariantFailure(fault=fault):
            return _failure(fault, headers, answer_id)


def error_response(status: int, message: str, code: str) -> Response:
    """An OpenAI-shaped error."""
    return Response(error_body(status, message, code=code), status, media_type=JSON)


def _anonymous(answer: VariantAnswer) -> VariantAnswer:
    """The answer without the names that tell its arm: whoever sees them may ask until they get the one they want."""
    document = {**answer.document, "model": MODEL}
    if isinstance(details := document.get("pitwall"), dict):
        document["pitwall"] = {key: value for key, value in details.items() if key not in TELLING}
    return replace(answer, document=document, body=json.dumps(document).encode())


def _answer(answer: VariantAnswer, question: Question, headers: dict[str, str]) -> Response:
    if question.stream:
        events = stream_events(answer.document, usage=question.stream_usage)
        return Response(events, 200, {**headers, "cache-control": "no-store"}, media_type="text/event-stream")
    return Response(answer.body, 200, headers, media_type=JSON)


def _failure(fault: FailureKind, headers: dict[str, str], answer_id: str) -> Response:
    """No answer, in words that name nobody: the log has who failed and why, under the answer's id."""
    status, code = failure_kind(fault)
    message = f"no answer ({code}); ask again in {RETRY_SECONDS} s, and if it lasts tell its operator {answer_id}"
    body = error_body(status, message, code=code)
    return Response(body, status, {**headers, "retry-after": str(RETRY_SECONDS)}, media_type=JSON)


def failure_kind(fault: FailureKind) -> tuple[int, str]:
    """HTTP status and code of a failure, as callers are told."""
    match fault:
        case FailureKind.TIMEOUT:
            return 504, "timeout"
        case FailureKind.UNROUTED | FailureKind.SATURATED | FailureKind.CIRCUIT_OPEN:
            return 503, "unavailable"
        case (
            FailureKind.UNREACHABLE
            | FailureKind.STATUS
            | FailureKind.MALFORMED
            | FailureKind.EMPTY
            | FailureKind.REFUSED
        ):
            return 502, "failed"

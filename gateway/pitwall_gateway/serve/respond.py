"""Builds the HTTP response: the answer or the error, with headers that name the variant and arm."""

from starlette.responses import Response

from pitwall_crds.names import Header
from pitwall_gateway.serve.relay import RelayedAnswer
from pitwall_gateway.serve.stream import stream_events
from pitwall_gateway.values.answer import FailureKind, VariantAnswer, VariantFailure, VariantRefusal
from pitwall_gateway.values.question import Question
from pitwall_gateway.values.refusal import error_body

JSON = "application/json"
RETRY_SECONDS = 2


def respond(served: RelayedAnswer, question: Question, answer_id: str) -> Response:
    """The response to one question. Only an answer carries an answer id."""
    headers: dict[str, str] = {Header.VARIANT: served.by.variant, Header.ARM: served.by.arm}
    if served.fallback is not None:
        headers[Header.FALLBACK] = served.fallback
    match served.reply:
        case VariantAnswer() as answer:
            return _answer(answer, question, {**headers, Header.ANSWER_ID: answer_id})
        case VariantRefusal(status=status, body=body):
            return Response(body, status, headers, media_type=JSON)
        case VariantFailure() as failure:
            return _failure(failure, headers)


def error_response(status: int, message: str, code: str) -> Response:
    """An OpenAI-shaped error."""
    return Response(error_body(status, message, code=code), status, media_type=JSON)


def _answer(answer: VariantAnswer, question: Question, headers: dict[str, str]) -> Response:
    if question.stream:
        events = stream_events(answer.document, usage=question.stream_usage)
        return Response(events, 200, {**headers, "cache-control": "no-store"}, media_type="text/event-stream")
    return Response(answer.body, 200, headers, media_type=JSON)


def _failure(failure: VariantFailure, headers: dict[str, str]) -> Response:
    status = _status(failure.fault)
    message = f"{failure.detail}; ask again in {RETRY_SECONDS} s, and if it lasts look at `pitwall status`"
    body = error_body(status, message, code=failure.fault)
    return Response(body, status, {**headers, "retry-after": str(RETRY_SECONDS)}, media_type=JSON)


def _status(fault: FailureKind) -> int:
    match fault:
        case FailureKind.TIMEOUT:
            return 504
        case FailureKind.UNROUTED | FailureKind.SATURATED | FailureKind.CIRCUIT_OPEN:
            return 503
        case FailureKind.UNREACHABLE | FailureKind.STATUS | FailureKind.MALFORMED | FailureKind.REFUSED:
            return 502

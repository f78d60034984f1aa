"""What was served in, the HTTP response out: the answer or the error, with headers that say who spoke."""

from starlette.responses import Response

from pitwall_crds.names import Header
from pitwall_gateway.serve.relay import Served
from pitwall_gateway.serve.stream import stream_events
from pitwall_gateway.values.answer import Answer, Failure, Fault, Refusal
from pitwall_gateway.values.question import Question
from pitwall_gateway.values.refusal import error_body

JSON = "application/json"
RETRY_SECONDS = 2


def respond(served: Served, question: Question, answer_id: str) -> Response:
    """The response to one question. Only an answer carries an answer id."""
    headers: dict[str, str] = {Header.VARIANT: served.by.variant, Header.ARM: served.by.arm}
    if served.fallback is not None:
        headers[Header.FALLBACK] = served.fallback
    match served.reply:
        case Answer() as answer:
            return _answer(answer, question, {**headers, Header.ANSWER_ID: answer_id})
        case Refusal(status=status, body=body):
            return Response(body, status, headers, media_type=JSON)
        case Failure() as failure:
            return _failure(failure, headers)


def error_response(status: int, message: str, code: str) -> Response:
    """An OpenAI-shaped error."""
    return Response(error_body(status, message, code=code), status, media_type=JSON)


def _answer(answer: Answer, question: Question, headers: dict[str, str]) -> Response:
    if question.stream:
        events = stream_events(answer.document, usage=question.stream_usage)
        return Response(events, 200, {**headers, "cache-control": "no-store"}, media_type="text/event-stream")
    return Response(answer.body, 200, headers, media_type=JSON)


def _failure(failure: Failure, headers: dict[str, str]) -> Response:
    status = _status(failure.fault)
    message = f"{failure.detail}; ask again in {RETRY_SECONDS} s, and if it lasts look at `pitwall status`"
    body = error_body(status, message, code=failure.fault)
    return Response(body, status, {**headers, "retry-after": str(RETRY_SECONDS)}, media_type=JSON)


def _status(fault: Fault) -> int:
    match fault:
        case Fault.TIMEOUT:
            return 504
        case Fault.UNROUTED | Fault.SATURATED | Fault.CIRCUIT_OPEN:
            return 503
        case Fault.UNREACHABLE | Fault.STATUS | Fault.MALFORMED | Fault.REFUSED:
            return 502

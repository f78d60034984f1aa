"""Fuzzers: whatever a stranger or a runtime sends, it is read or refused in words, within bounds, and never raises.

`make soak` makes PITWALL_FUZZ_INPUTS of each kind; docs/security.md tells of the largest run.
"""

import contextlib
import logging
import random
import unicodedata
from collections.abc import Callable

import pytest
from harness.fuzzing import MANY, any_seed, as_json, damaged, fuzz, with_odd_bytes

from pitwall_crds.host.logs import JsonFormatter, TextFormatter, printable
from pitwall_gateway.callers.keys import CallersDocument
from pitwall_gateway.feedback.answer_ids import AnswerIds
from pitwall_gateway.feedback.feedback import read_feedback
from pitwall_gateway.pools.routes import parse_routes
from pitwall_gateway.serve.http.stream import stream_events
from pitwall_gateway.values.answer import LONGEST_WORDS, VariantAnswer, VariantRefusal, read_reply
from pitwall_gateway.values.errors import RequestRefusedError, RoutesError
from pitwall_gateway.values.question import KEY_CHARACTERS, read_question

QUESTION = {"model": "pitwall", "messages": [{"role": "user", "content": "when?"}], "user": "ann", "stream": True}
FEEDBACK = {"answer_id": "ans-1", "thumbs": "up", "session": "ann", "task": "completed"}
REPLY = {
    "choices": [{"index": 0, "message": {"content": "at 12 s"}, "finish_reason": "stop"}],
    "pitwall": {"tokens": 7, "cache": "warm", "frame_selection_seconds": 0.1, "stages": {"encode": 0.2}},
    "error": {"message": "no such film", "code": "not_found"},
}
ROUTES = {"variants": {"uniform-v1": {"stable": ["http://10.0.0.1:8000"]}}}
CALLERS = {"callers": [{"name": "web", "keys": ["sha256:" + "0" * 64], "share": 0.5}]}


def mutated(seed: dict, dice: random.Random) -> bytes:
    """A document like the seed with one to three things wrong, as values or as bytes."""
    keys = ("extra", "user", "error", "choices")
    return with_odd_bytes(as_json(damaged(seed, dice, faults=dice.randrange(3), keys=keys)), dice)


def refusal_of(read: Callable[[], object]) -> RequestRefusedError | None:
    """How the reading was refused; None if it was not."""
    try:
        read()
    except RequestRefusedError as refused:
        return refused
    return None


def question(body: bytes) -> None:
    session = body[:40].decode("latin-1") if len(body) % 3 == 0 else ""
    refused = refusal_of(lambda: read_question(body, session))
    if refused:
        assert refused.status == 400
        assert len(refused.message) < 1000
        assert printable(refused.message) == refused.message
        return
    read = read_question(body, session)
    assert len(read.session) <= KEY_CHARACTERS
    assert not {unicodedata.category(one) for one in read.user} & {"Cc", "Cs"}
    assert read.targeting_key
    assert repr(read.party)


def feedback(body: bytes) -> None:
    refused = refusal_of(lambda: read_feedback(body))
    if refused:
        assert refused.status == 400
        assert len(refused.message) < 1000
        assert printable(refused.message) == refused.message
        return
    read = read_feedback(body)
    assert not AnswerIds(b"k" * 32).belongs(read.answer_id, read.session)


def reply(body: bytes) -> None:
    read = read_reply((200, 200, 404, 500, 429)[len(body) % 5], body, 0.1)
    if isinstance(read, VariantAnswer):
        assert stream_events(read.document, usage=True).endswith(b"data: [DONE]\n\n")
        assert read.tokens is None or 0 <= read.tokens <= 1e12
    elif isinstance(read, VariantRefusal):
        assert 0 < len(read.message) <= LONGEST_WORDS


def routes(body: bytes) -> None:
    try:
        read = parse_routes(body.decode("utf-8", "surrogateescape"))
    except RoutesError:
        return
    assert isinstance(read.having_urls(), list)
    assert isinstance(read.urls("uniform-v1", "stable"), tuple)  # type: ignore[arg-type]


def callers(body: bytes) -> None:
    with contextlib.suppress(ValueError):
        CallersDocument.model_validate_json(body)


def logged(body: bytes) -> None:
    said = logging.LogRecord("x", logging.INFO, "x", 1, "%s", (body.decode("utf-8", "replace"),), None)
    for formatter in (TextFormatter(), JsonFormatter()):
        line = formatter.format(said)
        assert "\n" not in line
        assert "\x1b" not in line


KINDS: dict[str, tuple[dict, Callable[[bytes], None]]] = {
    "questions": (QUESTION, question), "feedback": (FEEDBACK, feedback), "replies": (REPLY, reply),
    "routes": (ROUTES, routes), "callers": (CALLERS, callers), "log-lines": (QUESTION, logged),
}  # fmt: skip


def fuzz_kind(kind: str, number: int, seed: int) -> None:
    document, judge = KINDS[kind]
    fuzz(kind, lambda dice: mutated(document, dice), judge, number, seed=seed)


@pytest.mark.parametrize("kind", KINDS)
def test_some_odd_inputs_are_read_or_refused(kind):
    fuzz_kind(kind, 3000, seed=1)


@pytest.mark.soak
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("kind", KINDS)
def test_very_many_odd_inputs_are_read_or_refused(kind):
    fuzz_kind(kind, MANY, seed=any_seed())

"""Which of three outcomes a runtime's reply is, whatever it sends."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitwall_gateway.values.answer import (
    FailureKind,
    VariantAnswer,
    VariantFailure,
    VariantRefusal,
    is_fair,
    read_reply,
)

WHOLE = {"choices": [{"index": 0, "message": {"content": "at 12 s"}}], "pitwall": {"tokens": 90, "cache": "cold"}}


def body(**changes) -> bytes:
    return json.dumps({**WHOLE, **changes}).encode()


def test_an_answer_is_kept_byte_for_byte_with_what_it_tells_of_itself():
    raw = body()

    assert read_reply(200, raw, 0.5) == VariantAnswer(raw, WHOLE, 0.5, 90, "cold")


def test_what_copies_are_compared_with_holds_no_words():
    costs = read_reply(200, body(), 0.5).costs

    assert (costs.body, costs.document) == (b"", {})
    assert (costs.seconds, costs.tokens, costs.cache) == (0.5, 90, "cold")


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"<html>", id="a page"),
        pytest.param(b"\xff\xfe\x00", id="no text"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b"[" * 100_000, id="nested without end"),
        pytest.param(b"9" * 5_000, id="a number of 5000 digits"),
        pytest.param(b"{}", id="no choices"),
        pytest.param(body(choices=[]), id="an empty list of choices"),
        pytest.param(body(choices="yes"), id="choices as text"),
        pytest.param(body(choices=["yes"]), id="a choice as text"),
        pytest.param(body(choices=[{"index": 0}, None]), id="one choice of two"),
    ],
)
def test_a_200_without_a_chat_completion_is_malformed(raw):
    reply = read_reply(200, raw, 0.5)

    assert isinstance(reply, VariantFailure)
    assert reply.fault is FailureKind.MALFORMED


@pytest.mark.parametrize("status", [201, 204, 206, 301, 302, 304, 399])
def test_no_other_success_is_an_answer_even_with_a_completion(status):
    assert isinstance(read_reply(status, body(), 0.5), VariantFailure)


@pytest.mark.parametrize("status", [400, 401, 404, 413, 415, 422, 499])
def test_the_fault_of_the_question_is_a_refusal(status):
    said = b'{"error": {"message": "no such film", "code": "not_found", "path": "/secret"}}'

    assert read_reply(status, said, 0.5) == VariantRefusal(status, "no such film", "not_found")


@pytest.mark.parametrize("raw", [b"", b"<html>10.0.0.7</html>", b'{"error": "/srv/films"}', b"\xff", b'{"error": {}}'])
def test_of_a_refusal_in_no_known_shape_nothing_is_told_on(raw):
    assert read_reply(404, raw, 0.5) == VariantRefusal(
        404, "the question was refused (404) without a reason", "refused"
    )


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 599])
def test_the_state_of_the_runtime_is_a_failure(status):
    reply = read_reply(status, b"words", 0.5)

    late = status in (408, 504)
    assert reply == VariantFailure(FailureKind.STATUS, f"its runtime says {status}: words", late=late)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        pytest.param(b'{"error": {"message": "out of memory"}}', "out of memory", id="OpenAI's shape"),
        pytest.param(b'{"error": "boom"}', '{"error": "boom"}', id="another shape"),
        pytest.param(b'{"error": {"message": ""}}', '{"error": {"message": ""}}', id="an empty message"),
        pytest.param(b"\xffboom", "\ufffdboom", id="no text"),
        pytest.param(b"x" * 10_000, "x" * 200, id="a long page"),
    ],
)
def test_a_failure_is_told_in_the_runtimes_words_as_far_as_it_has_any(raw, words):
    assert read_reply(500, raw, 0.5) == VariantFailure(FailureKind.STATUS, f"its runtime says 500: {words}")


KEYS = st.sampled_from(["choices", "pitwall", "error"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner),
).map(lambda value: json.dumps(value).encode())


@given(st.integers(100, 599), st.binary(max_size=60) | VALUES)
def test_any_reply_is_one_of_the_three(status, raw):
    reply = read_reply(status, raw, 0.1)

    assert isinstance(reply, VariantAnswer | VariantRefusal | VariantFailure)
    assert isinstance(reply, VariantAnswer) <= (status == 200)
    assert isinstance(reply, VariantRefusal) <= (400 <= status < 500)


@pytest.mark.parametrize(
    ("given", "stable_took", "fair"),
    [
        pytest.param(30.0, 29.0, True, id="half of the usual time"),
        pytest.param(29.0, 0.5, True, id="many times what stable took"),
        pytest.param(25.0, 3.0, False, id="a few times what stable took"),
        pytest.param(5.0, 0.01, True, id="just enough to say what it is about"),
        pytest.param(4.9, 0.01, False, id="too little to say anything"),
    ],
)
def test_a_failure_in_time_speaks_against_a_variant_that_had_many_times_what_stable_took(given, stable_took, fair):
    """Applications that gave their questions twenty-five seconds of sixty once saw no hang of a candidate counted."""
    stables = VariantAnswer(b"", {}, stable_took)

    assert is_fair(VariantFailure(FailureKind.TIMEOUT, "", late=True), stables, given, usual=60.0) is fair
    assert is_fair(VariantFailure(FailureKind.STATUS, ""), stables, given, usual=60.0), "what fails at once always does"

"""What the gateway reads of a question, and what it leaves alone."""

import json

import pytest
from harness.effort import effort

from pitwall_gateway.values.errors import RequestRefusedError
from pitwall_gateway.values.question import KEY_CHARACTERS, read_question

MESSAGES = [{"role": "user", "content": "when?"}]


def body(**fields):
    return json.dumps({"messages": MESSAGES, **fields}).encode()


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        pytest.param(b"{", "not JSON", id="malformed"),
        pytest.param(b"\xff\xfe", "not JSON", id="not-even-text"),
        pytest.param(b"[" * 10_000, "not JSON", id="deeply-nested"),
        pytest.param(b"[]", "must be a JSON object", id="a-list"),
        pytest.param(b"{}", "messages is missing", id="no-messages"),
        pytest.param(b'{"messages": []}', "messages is an empty list", id="empty-messages"),
        pytest.param(b"[]", "the body is an empty list", id="a list"),
        pytest.param(b'\xef\xbb\xbf{"messages": []}', "BOM", id="a byte order mark"),
        pytest.param('{"messages": []}'.encode("utf-16"), "byte 0 is not UTF-8", id="UTF-16"),
        pytest.param(b'{"messages": ' + b"1" * 5000 + b"}", "a number of more than 4300 digits", id="a long number"),
        pytest.param(b"[" * 10_000, "nested too deeply", id="nested too deeply"),
        pytest.param(b'{"messages": "hi"}', "messages is a string", id="messages-as-text"),
        pytest.param(body(user=7), "user is a number", id="user-as-number"),
        pytest.param(body(user="x" * 257), "257 characters, the limit is 256", id="user-too-long"),
        pytest.param(body(stream="yes"), "stream is a string", id="stream-as-text"),
    ],
)
def test_what_no_runtime_could_answer_is_refused_with_the_reason(raw, words):
    with pytest.raises(RequestRefusedError, match=words) as caught:
        read_question(raw)

    assert caught.value.status == 400


def test_the_body_is_passed_on_byte_for_byte():
    raw = body(temperature=0.2, a_field_of_tomorrow={"x": [1]})

    assert read_question(raw).body == raw


@pytest.mark.parametrize(
    ("user", "header", "key", "session"),
    [("ann", "", "ann", "ann"), ("", "visit-1", "visit-1", "visit-1"), ("ann", "visit-1", "ann", "visit-1")],
)
def test_the_user_decides_the_variant_and_the_header_bounds_the_session(user, header, key, session):
    question = read_question(body(user=user), header)

    assert (question.targeting_key, question.session) == (key, session)


def test_a_caller_without_identity_has_no_session_and_a_random_key():
    first, second = read_question(body()), read_question(body())

    assert first.session == ""
    assert first.targeting_key != second.targeting_key


def test_the_longest_user_is_accepted():
    assert read_question(body(user="x" * KEY_CHARACTERS)).session == "x" * KEY_CHARACTERS


def test_a_streaming_request_is_asked_for_in_one_piece():
    question = read_question(body(stream=True, stream_options={"include_usage": True}, top_p=1))

    assert json.loads(question.body) == {"messages": MESSAGES, "top_p": 1}
    assert question.stream
    assert question.stream_usage


@pytest.mark.parametrize("character", ["\x00", "\x1b", "\n", "\x7f", "\x9b", "\ud800"])
@pytest.mark.parametrize("where", ["user", "session"])
def test_an_identity_with_a_control_character_is_refused(where, character):
    name = f"ann{character}[31m"
    body = json.dumps({"messages": [{}], **({"user": name} if where == "user" else {})}).encode()
    told = r"control character, or half of one|\(a text ends within a character"
    with pytest.raises(RequestRefusedError, match=told) as caught:
        read_question(body, name if where == "session" else "")

    assert character not in caught.value.message


@pytest.mark.parametrize("stream", ["true", "false"])
@pytest.mark.parametrize("unit", ["[]", '{"":[]}', "0"])
def test_a_megabyte_of_values_is_refused_before_any_is_made(unit, stream):
    values = ",".join([unit] * (1_000_000 // (len(unit) + 1)))
    sent = f'{{"messages":[{{}}],"stream":{stream},"x":[{values}]}}'.encode()
    with effort() as spent, pytest.raises(RequestRefusedError, match="more than 32768 fields and entries") as caught:
        read_question(sent)

    assert caught.value.status == 400
    assert spent.megabytes < 2


def test_the_most_that_a_question_may_be_made_of_is_read_and_written_anew_at_once():
    names = {f"{number:016x}": f"{number:08x}" for number in range(32_000)}
    sent = body(stream=True, **names)
    with effort() as spent:
        question = read_question(sent)

    assert json.loads(question.body) == {"messages": MESSAGES, **names}
    assert spent.megabytes < 5


def test_what_a_conversation_says_in_its_texts_does_not_count():
    said = json.dumps([[0, 1]] * 100_000)

    assert read_question(json.dumps({"messages": [{"role": "user", "content": said}]}).encode()).user == ""

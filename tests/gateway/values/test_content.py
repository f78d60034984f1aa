"""A chat completion in which nothing is said is no answer, whatever its body holds."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitwall_gateway.values.answer import FailureKind, VariantAnswer, VariantFailure, read_reply
from pitwall_gateway.values.content import says_something

CALL = {"id": "call-1", "type": "function", "function": {"name": "seek", "arguments": "{}"}}


def reply(*messages: object):
    choices = [{"index": index, "message": message} for index, message in enumerate(messages)]
    return read_reply(200, json.dumps({"choices": choices}).encode(), 0.1)


@pytest.mark.parametrize(
    "message",
    [
        pytest.param({"content": ""}, id="empty"),
        pytest.param({"content": " \t\r\n\u00a0\u2003\u3000"}, id="blanks"),
        pytest.param({"content": None}, id="null"),
        pytest.param({}, id="missing"),
        pytest.param(None, id="no message"),
        pytest.param({"content": "\u200b\u200d\ufeff\u2060\u00ad\u202e\U000e0041"}, id="zero width"),
        pytest.param({"content": "\u0000\u001b\u007f"}, id="controls"),
        pytest.param({"content": "\u2800\u3164\u115f\uffa0\ufffc"}, id="letters and symbols that are blank"),
        pytest.param({"content": "\u0301\ufe0f\u034f"}, id="marks on nothing"),
        pytest.param({"content": 7}, id="a number"),
        pytest.param({"content": []}, id="no parts"),
        pytest.param({"content": [{"type": "text", "text": " "}, "x", {"type": "text"}]}, id="parts without words"),
        pytest.param({"content": "", "refusal": " "}, id="a refusal without words"),
        pytest.param({"content": "", "reasoning_content": "I look at it."}, id="thoughts alone"),
        pytest.param({"content": "", "tool_calls": []}, id="no calls"),
        pytest.param({"content": "", "tool_calls": [{}, {"function": {"name": ""}}, None]}, id="calls of nothing"),
        pytest.param({"content": "", "function_call": {}}, id="a call of nothing"),
        pytest.param({"content": None, "audio": {"id": "a-1", "data": "", "transcript": " "}}, id="silence"),
    ],
)
def test_what_says_nothing_is_a_failure(message):
    failure = reply(message)

    assert isinstance(failure, VariantFailure)
    assert (failure.fault, failure.counts) == (FailureKind.EMPTY, True)


@pytest.mark.parametrize(
    "message",
    [
        pytest.param({"content": "no"}, id="a word"),
        pytest.param({"content": "7"}, id="a digit"),
        pytest.param({"content": "—"}, id="a dash"),
        pytest.param({"content": "👍🏽"}, id="a picture"),
        pytest.param({"content": "\u200f\u0645"}, id="a letter that is told where to stand"),
        pytest.param({"content": [{"type": "text", "text": "at 12 s"}]}, id="a part"),
        pytest.param({"content": [{"type": "refusal", "refusal": "I may not"}]}, id="a part that refuses"),
        pytest.param({"content": None, "refusal": "I may not"}, id="a refusal"),
        pytest.param({"content": None, "tool_calls": [CALL]}, id="a tool"),
        pytest.param({"tool_calls": [{"type": "custom", "custom": {"name": "seek"}}]}, id="a custom tool"),
        pytest.param({"content": None, "function_call": {"name": "seek", "arguments": "{}"}}, id="a function"),
        pytest.param({"content": None, "audio": {"id": "a-1", "data": "UklGRg=="}}, id="speech"),
    ],
)
def test_what_says_something_is_an_answer(message):
    assert isinstance(reply(message), VariantAnswer)


def test_each_choice_has_to_say_something():
    assert isinstance(reply({"content": "at 12 s"}, {"content": "at 14 s"}), VariantAnswer)
    assert isinstance(reply({"content": "at 12 s"}, {"content": None, "audio": {"data": "UklGRg=="}}), VariantAnswer)
    assert isinstance(reply({"content": ""}, {"content": "at 14 s"}), VariantFailure)


@given(st.text(alphabet="abc \u200b\n"))
def test_words_are_seen_wherever_blanks_are(text):
    assert says_something([{"message": {"content": text}}]) is any(letter in text for letter in "abc")

"""A finished answer as the events that an OpenAI client of streams reads."""

import json

from pitwall_gateway.serve.http.stream import stream_events

ANSWER = {
    "id": "chatcmpl-1",
    "created": 1,
    "model": "uniform-v1",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "at 12 s"}, "finish_reason": "length"},
        {"index": 1, "message": {"role": "assistant", "content": "nie \u2014 \U0001f430"}},
    ],
    "usage": {"prompt_tokens": 7},
    "pitwall": {"tokens": 7},
}


def events(document, *, usage=False):
    """The events' documents; checks that each is framed as the protocol has it, and that the end is told."""
    frames = stream_events(document, usage=usage).decode().split("\n\n")
    assert frames[-2:] == ["data: [DONE]", ""]
    return [json.loads(frame.removeprefix("data: ")) for frame in frames[:-2]]


def test_each_choice_has_its_text_then_its_end():
    chunks = events(ANSWER)

    told = [(each["index"], each["delta"], each["finish_reason"]) for chunk in chunks for each in chunk["choices"]]
    assert told == [
        (0, ANSWER["choices"][0]["message"], None),
        (1, ANSWER["choices"][1]["message"], None),
        (0, {}, "length"),
        (1, {}, "stop"),
    ]
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert {(chunk["id"], chunk["model"]) for chunk in chunks} == {("chatcmpl-1", "uniform-v1")}


def test_what_the_sampler_did_is_told_once_with_the_last_choice():
    chunks = events(ANSWER)

    assert ["pitwall" in chunk for chunk in chunks] == [False, False, False, True]
    assert chunks[-1]["pitwall"] == {"tokens": 7}


def test_the_usage_comes_last_and_only_when_it_was_asked_for():
    assert not any("usage" in chunk for chunk in events(ANSWER))
    assert events(ANSWER, usage=True)[-1]["usage"] == {"prompt_tokens": 7}
    assert events(ANSWER, usage=True)[-1]["choices"] == []


def test_an_answer_that_tells_next_to_nothing_is_streamed_too():
    chunks = events({"choices": [{"message": None}]}, usage=True)

    assert [chunk["choices"] for chunk in chunks] == [
        [{"index": 0, "delta": {}, "finish_reason": None}],
        [{"index": 0, "delta": {}, "finish_reason": "stop"}],
        [],
    ]
    assert chunks[-1]["usage"] is None
    assert "id" not in chunks[0]


def test_a_text_with_line_ends_stays_one_event():
    """Two line ends would end the event: they travel as JSON's escapes."""
    text = "one\n\ndata: [DONE]\n\ntwo\r\u2028three"
    chunks = events({"choices": [{"index": 0, "message": {"content": text}}]})

    assert chunks[0]["choices"][0]["delta"]["content"] == text

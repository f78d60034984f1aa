"""What a question may be made of: everything in it is bounded, and a body of the worst is refused at once."""

import json

import pytest
from harness.effort import effort

from pitwall_crds.reading.faults import read_body
from pitwall_crds.reading.sent import MOST_VALUES, BodyFaultError
from pitwall_runtime.serve.schema import MAX_BODY_BYTES, MAX_MESSAGES, MAX_PARTS, ChatRequest

TEXT = '{"type":"text","text":"a"}'
HEAD, TAIL = '{"messages":[{"role":"user","content":[', "]}]}"


def filled(unit: str, head: str = HEAD, tail: str = TAIL, most: int = MOST_VALUES) -> bytes:
    """As long as a body may be, with as many values as it may have."""
    values = 1 + sum(map(unit.count, ",{["))
    count = min((MAX_BODY_BYTES - len(head) - len(tail)) // (len(unit) + 1), (most - 10) // values)
    return (head + ",".join([unit] * count) + tail).encode()


MANY_NAMES = "{" + ",".join(f'"{number}":0' for number in range(MOST_VALUES - 10)) + "}"
VIDEO = '{"type":"video_url","video_url":{"url":0,"subtitles_url":0}}'
FULL_MESSAGE = '{"role":"user","content":[' + ",".join([TEXT] * MAX_PARTS) + "]}"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        pytest.param(filled("0", most=MAX_BODY_BYTES), f"more than {MOST_VALUES} fields and entries", id="numbers"),
        pytest.param(filled("{}", most=MAX_BODY_BYTES), f"more than {MOST_VALUES} fields and entries", id="nothings"),
        pytest.param(filled("0"), r"messages\.0\.content\.0 is 0: Input should be an object", id="parts: numbers"),
        pytest.param(filled("{}"), r"messages\.0\.content\.0: 'type' is missing", id="parts of nothing"),
        pytest.param(filled('{"type":"text"}'), r"content\.0\.text: Field required", id="parts without text"),
        pytest.param(filled(VIDEO), r"content\.0\.video_url\.url is 0", id="videos that are numbers"),
        pytest.param(filled(TEXT), rf"content: there must be at most {MAX_PARTS}", id="parts without end"),
        pytest.param(filled("0", '{"messages":[', "]}"), r"messages\.0 is 0", id="messages that are numbers"),
        pytest.param(
            filled('{"role":""}', '{"messages":[', "]}"), f"at most {MAX_MESSAGES}", id="messages without end"
        ),
        pytest.param(
            f'{{"messages":[{{"content":{MANY_NAMES}}}]}}'.encode(), r"messages\.0\.role: Field required", id="names"
        ),
    ],
)
def test_the_longest_body_of_faults_is_refused_at_once(body, words):
    with effort() as spent, pytest.raises(BodyFaultError, match=words):
        read_body(ChatRequest, body, furthest=True)
    assert spent.megabytes < 5


def test_the_most_that_is_no_fault_is_read_at_once():
    body = f'{{"messages":[{",".join([FULL_MESSAGE] * MAX_MESSAGES)}]}}'.encode()
    with effort() as spent:
        assert len(read_body(ChatRequest, body).messages) == MAX_MESSAGES
    assert spent.megabytes < 5


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"model": "m" * 257}, "model .* at most 256"),
        ({"messages": [{"role": "r" * 65}]}, "role .* at most 64"),
        ({"messages": [{"role": "user"}] * 257}, "messages: there must be at most 256"),
    ],
)
def test_every_list_and_name_has_its_bound(change, words):
    with pytest.raises(BodyFaultError, match=words):
        read_body(ChatRequest, json.dumps({"messages": [{"role": "user"}], **change}).encode(), furthest=True)

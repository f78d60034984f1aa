"""What is sent about videos to prepare: counted as the runtime will read it, or refused in words."""

import json

import pytest
from harness.effort import effort

from pitwall_gateway.values.errors import RequestRefusedError
from pitwall_gateway.values.videos import MAX_BATCH, check_id, read_batch, read_video


def test_what_is_counted_is_what_is_passed_on():
    twice = b'{"urls": ["a"], "urls": ["b", "c"], "note": 1e9}'
    sent = read_batch(twice)

    assert (sent.count, json.loads(sent.body)["urls"]) == (2, ["b", "c"])
    assert read_video(b'{"url": "https://films.example/a.mp4"}').count == 1


@pytest.mark.parametrize("read", [read_video, read_batch])
@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"7", b'{"url": 7}', b'{"urls": []}', b'{"urls": "a"}', b'{"url": "a", "urls": [], "x": NaN}',
     b'{"url": "a", "note": 1e999}', b'{"urls": ["a"], "note": 1' + b"0" * 400 + b"}", b'{"url": "\\ud800"}',
     b"[" * 100_000, b"\xff", json.dumps({"urls": ["a"] * (MAX_BATCH + 1)}).encode()],
)  # fmt: skip
def test_what_is_no_video_is_refused_with_an_example(read, body):
    with pytest.raises(RequestRefusedError, match="https://") as refused:
        read(body)

    assert (refused.value.status, refused.value.code) == (400, "invalid_body")


@pytest.mark.parametrize("key", ["", "vid_", "vid_../etc", "vid_" + "0" * 31, "vid_" + "0" * 65, "VID_" + "0" * 32])
def test_what_no_video_is_called_is_asked_of_nobody(key):
    with pytest.raises(RequestRefusedError) as refused:
        check_id(key)

    assert refused.value.status == 404
    check_id("vid_" + "0" * 64)


@pytest.mark.parametrize("read", [read_video, read_batch])
def test_a_megabyte_of_values_is_refused_before_any_is_made(read):
    body = b'{"url": "a", "urls": ["a"], "x": [' + b",".join([b"[]"] * 340_000) + b"]}"
    with effort() as spent, pytest.raises(RequestRefusedError, match="more than 32768 fields and entries"):
        read(body)
    assert spent.megabytes < 2

"""What files of subtitles say is remembered within bounds, and no user's slow files hold up another's."""

import asyncio
import os

import pytest

from pitwall_runtime.deadline import Deadline
from pitwall_runtime.errors import TooLateError
from pitwall_runtime.ingest.resolve import Resolver
from pitwall_runtime.ingest.subtitles import CaptionMemory, captions_of, digest_of, remembered, size_of
from pitwall_runtime.media import Caption

SRT = b"1\n00:00:01,000 --> 00:00:02,000\nGood morning.\n"
SAID = (Caption(1.0, 2.0, "Good morning."),)
FILM = tuple(Caption(float(second), second + 1.0, f"{second} words") for second in range(1000))


def test_files_are_remembered_by_the_bytes_that_their_captions_take():
    memory = CaptionMemory(5 * size_of(FILM))
    states = [(f"/{number}.srt", number, 1, 1) for number in range(20)]
    for state in states:
        memory.add(state, FILM)

    kept = [state for state in states if memory.find(state)]
    assert kept == states[-4:]
    assert size_of(FILM) > 1000 * 100


def test_what_was_asked_for_last_is_kept_and_what_is_larger_than_all_room_is_not():
    memory = CaptionMemory(3 * size_of(FILM))
    first, second, third, large = ((f"/{number}.srt", number, 1, 1) for number in range(4))
    memory.add(first, FILM)
    memory.add(second, FILM)
    memory.find(first)
    memory.add(third, FILM)
    memory.add(large, FILM * 4)

    assert [bool(memory.find(state)) for state in (first, second, third, large)] == [True, False, True, False]


def test_a_file_is_read_once_and_again_when_it_has_changed(tmp_path):
    path = tmp_path / "said.srt"
    path.write_bytes(SRT)
    assert remembered(path) is None
    assert captions_of(path) == SAID
    assert remembered(path) == SAID
    path.write_bytes(SRT.replace(b"morning", b"evening"))
    os.utime(path, ns=(1, 1))

    assert captions_of(path)[0].text == "Good evening."


async def test_one_users_slow_files_hold_up_no_other_user(tmp_path):
    resolver = Resolver((tmp_path,), tmp_path / "downloads")
    slow = b"[Script Info]\n\n[Events]\n" + b"Dialogue:0,0:0:0.0,0:0:5.0,\n" * 20_000
    for number in range(8):
        (tmp_path / f"{number}.ass").write_bytes(slow)
    (tmp_path / "said.srt").write_bytes(SRT)
    gone = Deadline()
    theirs = [
        asyncio.create_task(resolver.subtitles(f"file://{tmp_path}/{number}.ass", gone, "web.eve"))
        for number in range(8)
    ]
    await asyncio.sleep(0)

    assert await resolver.subtitles(f"file://{tmp_path}/said.srt", Deadline(60), "web.ann") == SAID
    assert sum(task.done() for task in theirs) < 6
    gone.give_up()
    with pytest.raises(TooLateError):
        await theirs[-1]
    await asyncio.gather(*theirs, return_exceptions=True)


def test_the_digest_of_what_is_remembered_is_made_once():
    first, second = ((Caption(0.0, 1.0, word * 100),) for word in "ab")
    memory = CaptionMemory(size_of(first) + 300)
    memory.add(("a", 1, 1, 1), first)
    digest = memory.digest(first)
    assert digest == digest_of(first) != digest_of(second)
    assert memory.digest((Caption(0.0, 1.0, "a" * 100),)) is None, "others with the same words are not looked at"
    memory.add(("b", 1, 1, 1), second)
    assert (memory.digest(first), memory.digest(second)) == (None, digest_of(second))

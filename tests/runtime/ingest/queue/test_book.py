"""The folder of records is bounded by number and age, and keeps what is under way before what is over."""

import json
import os
import time

import pytest

from pitwall_runtime.ingest.queue.book import FolderBook, VideoRecord, VideoState


def fill(book, names, state, ago=1000.0, party=""):
    """Records of this state, the first changed longest ago, the last so many seconds ago."""
    for age, name in enumerate(reversed(names)):
        book.put(VideoRecord(name, state, party=party))
        changed = time.time() - ago - age
        os.utime(book._path(name), (changed, changed))


def test_of_too_many_records_the_oldest_finished_ones_go_first(tmp_path):
    book = FolderBook(tmp_path, most=20)
    fill(book, [f"waits {number}" for number in range(10)], VideoState.QUEUED)
    fill(book, [f"done {number}" for number in range(10)], VideoState.READY)
    fill(book, [f"new {number}" for number in range(6)], VideoState.FAILED, ago=10)
    for _ in range(5):
        book.put(VideoRecord("newest"))

    assert len(list(tmp_path.glob("*.json"))) <= 22
    assert all(book.find(f"waits {number}") for number in range(10))
    kept = [number for number in range(10) if book.find(f"done {number}")]
    assert kept == list(range(10 - len(kept), 10))
    assert 2 <= len(kept) <= 5
    assert all(book.find(f"new {number}") for number in range(6))
    assert book.find("newest")


def kept_of(book, name, number):
    return [one for one in range(number) if book.find(f"{name} {one}")]


@pytest.mark.parametrize("state", list(VideoState))
def test_one_callers_videos_push_out_its_own_records_and_nobody_elses(tmp_path, state):
    book = FolderBook(tmp_path, most=40)
    fill(book, [f"ours {number}" for number in range(10)], VideoState.READY, ago=9999, party="ours.")
    for user in range(3):
        fill(book, [f"theirs {user} {number}" for number in range(60)], state, ago=10, party=f"theirs.{user}")

    assert kept_of(book, "ours", 10) == list(range(10))
    assert len(list(tmp_path.glob("*.json"))) <= 44


def test_within_a_caller_one_users_videos_push_out_its_own_records(tmp_path):
    book = FolderBook(tmp_path, most=40)
    fill(book, [f"ann {number}" for number in range(10)], VideoState.READY, ago=9999, party="web.ann")
    fill(book, [f"bob {number}" for number in range(100)], VideoState.FAILED, ago=10, party="web.bob")

    assert kept_of(book, "ann", 10) == list(range(10))


def test_a_record_of_a_version_to_come_is_read():
    record = VideoRecord("vid_1", VideoState.READY, party="web.")
    assert VideoRecord.from_data({**record.to_data(), "more": 7}) == record


def test_where_nothing_is_finished_the_oldest_goes(tmp_path):
    book = FolderBook(tmp_path, most=10)
    fill(book, [f"waits {number}" for number in range(30)], VideoState.QUEUED)
    assert len(list(tmp_path.glob("*.json"))) <= 12


def test_a_record_that_nobody_changed_for_thirty_days_goes(tmp_path):
    book = FolderBook(tmp_path)
    book.put(VideoRecord("old"))
    month_ago = time.time() - 31 * 86_400
    os.utime(book._path("old"), (month_ago, month_ago))
    FolderBook(tmp_path).put(VideoRecord("new"))
    assert (book.find("old"), book.find("new")) == (None, VideoRecord("new"))


def test_a_record_that_cannot_be_read_goes_before_one_that_waits(tmp_path):
    book = FolderBook(tmp_path, most=10)
    fill(book, [f"waits {number}" for number in range(10)], VideoState.QUEUED)
    (tmp_path / "damaged.json").write_text("{")
    book._prune(time.time())
    assert not (tmp_path / "damaged.json").exists()
    assert book.find("waits 0")


def test_a_record_of_nobody_in_particular_is_one_that_earlier_versions_read():
    assert "party" not in VideoRecord("vid_1").to_data()
    assert VideoRecord.from_data(VideoRecord("vid_1").to_data()) == VideoRecord("vid_1")


@pytest.mark.parametrize("character", ["x", "é", "語", "🎬", "\x01", '"', "\ud83d"])
def test_what_went_wrong_takes_few_bytes_in_any_alphabet(character):
    """A batch tells it of a thousand videos, and the gateway reads 1 MiB."""
    told = VideoRecord("vid_1", VideoState.FAILED, error=character * 500).error
    written = json.dumps(told, ensure_ascii=False).encode(errors="replace")
    assert (told[0], told[-1]) == (character, "…")
    assert 380 < len(written) <= 402
    assert VideoRecord("vid_1", error=told).error == told

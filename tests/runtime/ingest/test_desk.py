"""The desk takes a video once at a time, and of no caller more than its part of the queue."""

import time
from dataclasses import replace

import pytest

from pitwall_runtime.errors import QueueFullError
from pitwall_runtime.ingest.desk import IngestDesk
from pitwall_runtime.ingest.queue.book import FolderBook, VideoRecord, VideoState, change, video_id
from pitwall_runtime.ingest.queue.local import LocalQueue


def url(number):
    return f"https://films.example/{number}.mp4"


@pytest.fixture
def desk(tmp_path):
    queue = LocalQueue(tmp_path / "ingest.sqlite", max_waiting=8)
    yield IngestDesk(queue, FolderBook(tmp_path / "videos"), most=3)
    queue.close()


def test_a_caller_who_fills_its_part_is_refused_in_words_and_others_are_not(desk):
    for number in range(3):
        desk.submit(url(number), "web", f"web.user{number}")
    with pytest.raises(
        QueueFullError, match="3 videos of this application wait already, the limit; send this one again"
    ):
        desk.submit(url(3), "web", "web.another")
    assert desk.submit(url(0), "web", "web.user0").state is VideoState.QUEUED  # under way: no new job
    assert desk.submit(url(3), "app", "app.ann").state is VideoState.QUEUED
    assert desk.queue.depth().waiting == 4
    assert desk.book.find(video_id(url(3), "app")).party == "app.ann"


def test_a_user_has_a_part_of_its_callers_places_and_others_of_that_caller_are_not_refused(desk):
    desk = replace(desk, most=5, most_of_user=3)
    records = [desk.submit(url(number), "web", "web.ann") for number in range(3)]
    with pytest.raises(QueueFullError, match="3 videos of this user wait already, the limit"):
        desk.submit(url(3), "web", "web.ann")
    assert desk.submit(url(0), "web", "web.ann").state is VideoState.QUEUED  # under way: no new job
    assert desk.submit(url(4), "web", "web.bob").state is VideoState.QUEUED
    assert desk.submit(url(5), "web", "web.").state is VideoState.QUEUED
    with pytest.raises(QueueFullError, match="5 videos of this application"):
        desk.submit(url(6), "web", "web.bob")

    change(desk.book, records[1], state=VideoState.READY)
    assert desk.submit(url(3), "web", "web.ann").state is VideoState.QUEUED


def test_what_is_done_makes_room(desk):
    for number in range(3):
        record = desk.submit(url(number), "web", "web.")
    change(desk.book, record, state=VideoState.FAILED)
    assert desk.submit(url(3), "web", "web.").state is VideoState.QUEUED
    with pytest.raises(QueueFullError):
        desk.submit(url(4), "web", "web.")


def test_what_the_queue_refuses_takes_no_place(desk):
    for number in range(8):
        desk.submit(url(number))
    for number in range(5):
        with pytest.raises(QueueFullError, match="8 videos wait already"):
            desk.submit(url(number), "web", "web.")


def test_a_record_is_there_before_its_job(tmp_path):
    """A worker was once done with the job before the record of it was written, which then said queued for an hour."""
    queue, waiting = LocalQueue(tmp_path / "ingest.sqlite"), []

    class LookingBook(FolderBook):
        def put(self, record):
            waiting.append(queue.depth().waiting)
            super().put(record)

    desk = IngestDesk(queue, LookingBook(tmp_path / "videos"))

    desk.submit(url(0))
    assert (waiting, queue.depth().waiting) == ([0], 1)
    queue.close()


def test_what_the_queue_refuses_leaves_the_record_as_it_was(desk):
    ready = change(desk.book, VideoRecord(video_id(url(9))), state=VideoState.READY)
    for number in range(8):
        desk.submit(url(number))
    for number in (8, 9):
        with pytest.raises(QueueFullError):
            desk.submit(url(number))

    assert [desk.find(video_id(url(number))) for number in (8, 9)] == [None, ready]


def test_a_record_whose_job_was_never_put_is_sent_again_once_that_can_be_told(desk):
    left = VideoRecord(video_id(url(0)), updated_at=time.time() - 120)  # by a process that ended in between
    desk.book.put(left)
    other = desk.submit(url(1))
    assert desk.submit(url(0)) == left, "it may be what waits"

    desk.queue.done(desk.queue.take(0))
    change(desk.book, other, state=VideoState.READY)
    assert desk.submit(url(0)).updated_at > left.updated_at
    assert desk.queue.take(0).job.url == url(0)
    desk.book.put(VideoRecord(left.id, VideoState.QUEUED, attempts=1, updated_at=time.time() - 120))
    assert desk.submit(url(0)).attempts == 1, "it waits for its next attempt"

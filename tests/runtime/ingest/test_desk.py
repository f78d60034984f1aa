"""The desk takes a video once at a time, and of no caller more than its part of the queue."""

import pytest

from pitwall_runtime.errors import QueueFullError
from pitwall_runtime.ingest.desk import IngestDesk
from pitwall_runtime.ingest.queue.book import FolderBook, VideoState, change
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

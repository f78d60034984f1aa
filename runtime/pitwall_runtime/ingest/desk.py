"""Takes videos into the ingest queue, each address once at a time, and tells where they stand."""

import time
from dataclasses import dataclass
from urllib.parse import urlsplit

from pitwall_runtime.errors import BadQuestionError
from pitwall_runtime.ingest.queue.book import VideoBook, VideoRecord, VideoState, belongs, change, video_id
from pitwall_runtime.ingest.queue.port import IngestJob, IngestQueue

_STALE_SECONDS = 3600.0
"""A record that is not final and that nobody changed for so long lost its job: the queue was cleared or replaced."""

_SCHEMES = frozenset({"file", "http", "https"})


@dataclass(frozen=True, slots=True)
class IngestDesk:
    """The queue and the book of states. `submit` and `find` block on their servers."""

    queue: IngestQueue
    book: VideoBook

    def submit(self, url: str, owner: str = "") -> VideoRecord:
        """The record of this owner's video at `url`, queued unless it is under way.

        Raises BadQuestionError or UnavailableError. A part that the address names is passed over: all of it is made
        ready. A video that is ready or failed is queued again: its server is asked whether the file has changed, and
        nothing that is prepared already is done twice.
        """
        url, _, _ = url.partition("#")
        check_address(url)
        key, now = video_id(url, owner), time.time()
        known = self.book.find(key)
        if known and not known.state.final and now - known.updated_at < _STALE_SECONDS:
            return known
        self.queue.put(IngestJob(key, url, now))
        fresh = known or VideoRecord(key, created_at=now)
        return change(self.book, fresh, state=VideoState.QUEUED, attempts=0, error="", error_code="")

    def find(self, key: str, owner: str = "") -> VideoRecord | None:
        """What is known of a video; None if this owner never sent it."""
        return self.book.find(key) if belongs(key, owner) else None


def check_address(url: str) -> None:
    """Raises BadQuestionError for what no worker could fetch; whether it may be fetched is seen when it is."""
    try:
        scheme = urlsplit(url).scheme
    except ValueError:
        scheme = ""
    if scheme not in _SCHEMES:
        raise BadQuestionError("url: not an address of a video; use http://, https:// or file:///")

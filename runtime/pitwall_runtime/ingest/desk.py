"""Takes videos into the ingest queue, each address once at a time, and tells where they stand."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import islice
from urllib.parse import urlsplit

from pitwall_runtime.deadline import caller_of, user_of
from pitwall_runtime.errors import BadQuestionError, QueueAwayError, QueueFullError, UnavailableError
from pitwall_runtime.ingest.queue.book import VideoBook, VideoRecord, VideoState, belongs, change, video_id
from pitwall_runtime.ingest.queue.port import IngestJob, IngestQueue

_STALE_SECONDS = 3600.0
"""A record that is not final and that nobody changed for so long lost its job: the queue was cleared or replaced."""

_PUT_SECONDS = 60.0
"""A record that nobody began with for so long, while nothing waits, has no job: who took it in ended before."""

_MOST_OF_CALLER = 2500
"""Videos of one caller that may be under way, a quarter of what a queue may hold."""

_MOST_OF_USER = 1000
"""Of those, how many may be one user's: as many as a batch has."""

_LOOKED_AT = 16
"""Of a caller's oldest videos, of how many the book is asked at once whether they are done."""

_GONE = (
    "what was prepared of this video is not here: it was deleted for its age, for want of room, or by hand, "
    "or made by another version or on a full disk; send it again"
)
_SCHEMES = frozenset({"file", "http", "https"})


@dataclass(frozen=True, slots=True)
class IngestDesk:
    """The queue and the book of states. `submit` and `find` block on their servers.

    `is_there` tells of a record whether what was prepared is there.
    `most` videos of one caller, and `most_of_user` of one of its users, may be under way, as far as this process knows.
    """

    queue: IngestQueue
    book: VideoBook
    most: int = _MOST_OF_CALLER
    most_of_user: int = _MOST_OF_USER
    is_there: Callable[[VideoRecord], bool] = lambda _: True
    _under_way: dict[str, OrderedDict[str, str]] = field(default_factory=dict)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def submit(self, url: str, owner: str = "", party: str = "") -> VideoRecord:
        """The record of this owner's video at `url`, queued unless it is under way. `party` is who sends it, a caller
        and, behind a dot, a user: parties take turns, and none fills the queue.

        Raises BadQuestionError or UnavailableError. A part that the address names is passed over: all of it is made
        ready. A video that is ready or failed is queued again: its server is asked whether the file has changed,
        unless it said within the last five minutes, and nothing that is prepared already is done twice.
        """
        url, _, _ = url.partition("#")
        check_address(url)
        key, now = video_id(url, owner), time.time()
        known = self.book.find(key)
        if known and not known.state.final and self._has_job(known, now):
            return known
        caller = caller_of(party)
        if caller:  # who is nobody in particular is bounded by the queue alone
            self._admit(key, caller, user_of(party))
        fresh = known or VideoRecord(key, created_at=now)
        # Before the job: a worker may be done with that sooner than a book far away has written this.
        queued = change(self.book, fresh, state=VideoState.QUEUED, attempts=0, error="", error_code="", party=party)
        try:
            self.queue.put(IngestJob(key, url, now, party))
        except UnavailableError:
            with self._guard:
                self._under_way.get(caller, OrderedDict()).pop(key, None)
            self._take_back(key, known)
            raise
        return queued

    def _has_job(self, record: VideoRecord, now: float) -> bool:
        """Whether there is a job of a record that is not final, as far as can be told."""
        age = now - record.updated_at
        if age < _PUT_SECONDS or record.attempts or record.state is not VideoState.QUEUED:
            return age < _STALE_SECONDS
        with suppress(QueueAwayError):
            return age < _STALE_SECONDS and self.queue.depth().waiting > 0
        return True

    def _take_back(self, key: str, known: VideoRecord | None) -> None:
        """What was written of a video that the queue does not take."""
        with suppress(QueueAwayError):
            if known:
                self.book.put(known)
            else:
                self.book.drop(key)

    def _admit(self, key: str, caller: str, user: str) -> None:
        with self._guard:
            mine = self._under_way.setdefault(caller, OrderedDict())
            oldest = list(islice(self._crowd(mine, user), _LOOKED_AT))
        found = {one: self.book.find(one) for one in oldest}
        with self._guard:
            for one, record in found.items():
                if one in mine and record and not record.state.final:
                    mine.move_to_end(one)  # behind the others: they are looked at next
                else:
                    mine.pop(one, None)
            if key not in mine and (crowd := self._crowd(mine, user)):
                whose = "application" if crowd is mine else "user"
                raise QueueFullError(
                    f"{len(crowd)} videos of this {whose} wait already, the limit; send this one again in a minute"
                )
            mine[key] = user

    def _crowd(self, mine: OrderedDict[str, str], user: str) -> Collection[str]:
        """Which videos are as many as there may be: the user's, or all of its caller's; empty if there is room."""
        theirs = [key for key, whose in mine.items() if whose == user] if user else []
        if len(theirs) >= self.most_of_user:
            return theirs
        return mine if len(mine) >= self.most else ()

    def find(self, key: str, owner: str = "") -> VideoRecord | None:
        """What is known of a video; None if this owner never sent it."""
        record = self.book.find(key) if belongs(key, owner) else None
        if record and record.state is VideoState.READY and not self.is_there(record):
            return replace(record, state=VideoState.FAILED, variants={}, error=_GONE, error_code="evicted")
        return record


def check_address(url: str) -> None:
    """Raises BadQuestionError for what no worker could fetch; whether it may be fetched is seen when it is."""
    try:
        scheme = urlsplit(url).scheme
    except ValueError:
        scheme = ""
    if scheme not in _SCHEMES:
        raise BadQuestionError("url: not an address of a video; use http://, https:// or file:///")

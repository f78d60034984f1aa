"""What is known of every video that was sent to the queue: its state, its progress, and why it failed."""

import hashlib
import json
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from itertools import accumulate
from pathlib import Path
from typing import Any, Final, Protocol

from pitwall_crds.host.files import read_json, write_json
from pitwall_runtime.deadline import caller_of
from pitwall_runtime.errors import QueueAwayError

_PREFIX: Final = "vid_"
_DIGITS: Final = 32
_KEPT_SECONDS: Final = 30 * 86_400
_KEPT_RECORDS: Final = 20_000
"""In a folder: twice as many as a queue may hold."""

_PRUNED_EVERY: Final = 256
"""Records that are written before their number is looked at again."""

_SPARE: Final = 20
"""Once there are too many, a twentieth of them goes."""

_MOST_BYTES: Final = 400
"""Of what went wrong with a video, as JSON writes it: the answer to a batch tells it of a thousand."""


class VideoState(StrEnum):
    """Where a video stands. Ready and failed are final until it is sent again."""

    QUEUED = "queued"
    FETCHING = "fetching"
    DECODING = "decoding"
    ENCODING = "encoding"
    READY = "ready"
    FAILED = "failed"

    @property
    def final(self) -> bool:
        """Whether no worker will do anything about it."""
        return self in (VideoState.READY, VideoState.FAILED)


@dataclass(frozen=True, slots=True)
class VideoRecord:
    """One video of the queue.

    Attributes:
        variants: by name, the share of the pool's frames that is embedded, 0 to 1.
        error, error_code: of the last attempt; empty if it went well.
        attempts: how often a worker began.
        party: who sent it last, a caller and, behind a dot, a user.
    """

    id: str
    state: VideoState = VideoState.QUEUED
    content_hash: str = ""
    seconds: float = 0.0
    variants: Mapping[str, float] = field(default_factory=dict)
    attempts: int = 0
    error: str = ""
    error_code: str = ""
    created_at: float = 0.0
    updated_at: float = 0.0
    party: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "error", _cut(self.error))

    def to_data(self) -> dict[str, Any]:
        """As it is stored. Where there is no party it is left out: earlier versions read no record that has one."""
        data = asdict(self)
        return data if self.party else {name: value for name, value in data.items() if name != "party"}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> "VideoRecord":
        """Raises TypeError, ValueError or LookupError for what is no record; fields of versions to come are passed
        over."""
        known = {name: data[name] for name in cls.__slots__ if name in data}
        return cls(**{**known, "state": VideoState(data["state"])})


def _cut(words: str) -> str:
    """The words, or their beginning where they are too many bytes."""
    sizes = [len(json.dumps(one, ensure_ascii=False).encode(errors="replace")) - 2 for one in words[: _MOST_BYTES + 1]]
    if sum(sizes) <= _MOST_BYTES:
        return words
    fitting = sum(end <= _MOST_BYTES - len("…".encode()) for end in accumulate(sizes))
    return words[:fitting] + "…"


def video_id(url: str, owner: str = "") -> str:
    """The id of the video that an owner has at an address: the same owner and address have the same."""
    return _id(_digest(url), owner)


def belongs(key: str, owner: str) -> bool:
    """Whether an id is this owner's; those without an owner are for all who have none."""
    return key == _id(key.removeprefix(_PREFIX)[:_DIGITS], owner)


def _id(address: str, owner: str) -> str:
    """Address and owner are both in it, so whose it is can be told without a record."""
    return f"{_PREFIX}{address}{_digest(f'{owner}|{address}') if owner else ''}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:_DIGITS]


class VideoBook(Protocol):
    """Where records are kept. Methods raise QueueAwayError where it cannot be reached."""

    def find(self, key: str) -> VideoRecord | None:
        """The record; None where there is none, or one that cannot be read."""

    def put(self, record: VideoRecord) -> None:
        """Replace the record."""

    def drop(self, key: str) -> None:
        """Forget the record, if there is one."""


def change(book: VideoBook, record: VideoRecord, **changes: Any) -> VideoRecord:
    """Store the record with these changes, as changed now."""
    changed = replace(record, **changes, updated_at=time.time())
    book.put(changed)
    return changed


@dataclass(slots=True)
class FolderBook:
    """A file per video, for the processes of one machine or one shared volume; kept for thirty days after the last
    change, and no more than `most` of them: beyond that those go of the caller who has most, so that nobody's videos
    push out those of others."""

    folder: Path
    most: int = _KEPT_RECORDS
    _until_pruned: int = 0

    def find(self, key: str) -> VideoRecord | None:
        """The record; None where there is none, or one that cannot be read."""
        with suppress(OSError, ValueError, TypeError, LookupError):
            return VideoRecord.from_data(read_json(self._path(key), None))
        return None

    def put(self, record: VideoRecord) -> None:
        """Replace the record."""
        try:
            write_json(self._path(record.id), record.to_data(), mode=0o600)
        except OSError as error:
            raise QueueAwayError(f"the state of videos cannot be written ({error.strerror}); try again later") from None
        self._until_pruned -= 1
        if self._until_pruned < 0:
            self._until_pruned = min(_PRUNED_EVERY, self.most // 10)
            self._prune(time.time())

    def drop(self, key: str) -> None:
        """Forget the record, if there is one."""
        with suppress(OSError):
            self._path(key).unlink(missing_ok=True)

    def _prune(self, now: float) -> None:
        changed_at = {}
        for path in self.folder.glob("*.json"):
            with suppress(OSError):
                changed_at[path] = path.stat().st_mtime
        gone = [path for path, changed in changed_at.items() if now - changed > _KEPT_SECONDS]
        if len(changed_at) - len(gone) > self.most:
            left = [(path, changed_at[path]) for path in changed_at.keys() - set(gone)]
            # Somewhat fewer than there may be, since all are read for it.
            gone += _in_order(left)[: len(left) - (self.most - self.most // _SPARE)]
        for path in gone:
            with suppress(OSError):
                path.unlink()

    def _path(self, key: str) -> Path:
        return self.folder / f"{hashlib.sha256(key.encode(errors='surrogatepass')).hexdigest()[:40]}.json"


@dataclass(frozen=True, slots=True)
class _Kept:
    """What decides how long a record's file stays; one that cannot be read says nothing worth keeping."""

    path: Path
    changed: float
    final: bool = True
    party: str = ""
    readable: bool = False


def _in_order(files: Iterable[tuple[Path, float]]) -> list[Path]:
    """Records' files with their times, those first that shall go first: of the caller who has most; of its own, of the
    user who has most; of its own, those that are final, and the oldest."""
    kept = sorted((_kept(*file) for file in files), key=lambda one: (one.final, -one.changed))
    users, callers = Counter[str](), Counter[str]()
    ranks: dict[Path, int] = {}
    for one in kept:
        ranks[one.path] = users[one.party]
        users[one.party] += 1
    kept.sort(key=lambda one: ranks[one.path])
    for one in kept:
        ranks[one.path] = callers[caller_of(one.party)]
        callers[caller_of(one.party)] += 1
    kept.sort(key=lambda one: (one.readable, -ranks[one.path], not one.final, one.changed))
    return [one.path for one in kept]


def _kept(path: Path, changed: float) -> _Kept:
    try:
        record = VideoRecord.from_data(read_json(path, None))
    except (OSError, ValueError, TypeError, LookupError):
        return _Kept(path, changed)
    return _Kept(path, changed, record.state.final, str(record.party), readable=True)


class RedisBook:
    """A key per video, for many machines; kept for thirty days after the last change."""

    def __init__(self, url: str) -> None:
        import redis

        self._errors = redis.RedisError
        self._client = redis.Redis.from_url(url, decode_responses=True, socket_timeout=10, socket_connect_timeout=10)

    def find(self, key: str) -> VideoRecord | None:
        """The record; None where there is none, or one that cannot be read."""
        try:
            found: Any = self._client.get(f"pitwall:video:{key}")
        except self._errors as error:
            raise _away(error) from None
        with suppress(ValueError, TypeError, LookupError):
            return VideoRecord.from_data(json.loads(found))
        return None

    def put(self, record: VideoRecord) -> None:
        """Replace the record."""
        try:
            self._client.set(f"pitwall:video:{record.id}", json.dumps(record.to_data()), ex=_KEPT_SECONDS)
        except self._errors as error:
            raise _away(error) from None

    def drop(self, key: str) -> None:
        """Forget the record, if there is one."""
        try:
            self._client.delete(f"pitwall:video:{key}")
        except self._errors as error:
            raise _away(error) from None


def _away(error: Exception) -> QueueAwayError:
    return QueueAwayError(f"the state of videos is not reachable ({type(error).__name__}); try again later")

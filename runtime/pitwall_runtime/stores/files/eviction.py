"""Keeps the cache folder below its quota: what was used longest ago goes first, and what is in use never.

A cache entry is one video's pool, one video's embeddings under one encoder, or one download. Each has a lease, a file
whose lock its users share and whose modification time says when it was last used. Small entries, a file for a question
or an address, have a small part of the quota to themselves: whoever invents them evicts no video.
"""

import math
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from operator import attrgetter
from pathlib import Path
from typing import Final

from pitwall_runtime.stores.files.abandoned import below, delete_abandoned
from pitwall_runtime.stores.files.lock import unused
from pitwall_runtime.stores.files.owners import BOUNDS, Draft, Holdings, Owners
from pitwall_runtime.stores.files.unwritable import is_full, is_unwritable

LEASE: Final = ".lease"
"""The lease's name in an entry that is a folder."""

_BLOCK_BYTES: Final = 512
_LOW_WATER: Final = 0.9
"""Eviction goes on down to this share of the quota, so that not every write has to evict."""

_STEP_BYTES: Final = 64 << 20
_SMALL_PART: Final = 1 / 100
_SMALL_BYTES: Final = 64 << 20
"""What all entries of a small kind may take: this part of the quota, and no more than this."""


class EntryKind(StrEnum):
    """What a cache entry holds, and the name of the folder for its kind."""

    FRAMES = "frames"
    EMBEDDINGS = "embeddings"
    DOWNLOADS = "downloads"
    QUESTIONS = "questions"
    ADDRESSES = "addresses"

    @property
    def is_small(self) -> bool:
        """Whether entries are small files of no video, kept for speed alone."""
        return self in (EntryKind.QUESTIONS, EntryKind.ADDRESSES)

    @property
    def is_file(self) -> bool:
        """Whether an entry is a file, which is its own lease."""
        return self is EntryKind.DOWNLOADS or self.is_small

    def folder(self, root: Path) -> Path:
        """Where entries of this kind lie in a cache folder."""
        return root / EntryKind.DOWNLOADS / self if self is EntryKind.ADDRESSES else root / self


_DEPTH: Final = {
    EntryKind.FRAMES: 2,
    EntryKind.EMBEDDINGS: 3,
    EntryKind.DOWNLOADS: 1,
    EntryKind.QUESTIONS: 2,
    EntryKind.ADDRESSES: 1,
}
"""Folders from the kind's folder down to an entry."""


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """Something that can be evicted. `bytes` as the disk counts them; `used_at` in epoch seconds; `video_hash` is empty
    where it is of no video."""

    kind: EntryKind
    path: Path
    video_hash: str
    bytes: int
    used_at: float

    @property
    def lease(self) -> Path:
        """The file whose lock keeps the entry."""
        return self.path if self.kind.is_file else self.path / LEASE

    def evict(self) -> bool:
        """Delete the entry, unless somebody uses it; whether it is gone."""
        with unused(self.lease) as alone:
            if not alone:
                return False
            if self.kind.is_file:
                self.path.unlink(missing_ok=True)
                return True
            # Renamed first: readers see the whole folder or none.
            grave = self.path.with_name(f".evicted-{self.path.name}-{os.getpid()}-{time.monotonic_ns()}")
            self.path.rename(grave)
            shutil.rmtree(grave, ignore_errors=True)
            with suppress(OSError):
                self.path.parent.rmdir()
                self.path.parent.parent.rmdir()
            return True


@dataclass(frozen=True, slots=True)
class CacheLimits:
    """How much the cache folder may hold, everything counted, and how long what nobody uses stays.

    Attributes:
        max_bytes: 0 is no limit.
        ttl_seconds: since the last use; 0 is for ever.
    """

    max_bytes: int = 0
    ttl_seconds: float = 0.0


@dataclass(slots=True)
class Quota:
    """The limits of a cache folder. Writers announce what they write; several processes may share the folder."""

    root: Path
    limits: CacheLimits = field(default_factory=CacheLimits)
    told: Callable[[EntryKind], None] = lambda _: None
    """Hears what kind of entry was evicted."""
    _used: float = math.inf
    """At the last sweep, and what was announced since; nothing is known before the first."""
    _others: Draft = field(default_factory=lambda: Draft(""))
    """What is written and is nobody's in particular."""
    _counted: Mapping[EntryKind, int] = field(default_factory=dict)
    _guard: threading.Lock = field(default_factory=threading.Lock)
    _sweeping: threading.Lock = field(default_factory=threading.Lock)
    _drafts: list[Draft] = field(default_factory=list)
    _owners: Owners = field(init=False)

    def __post_init__(self) -> None:
        self._owners = Owners(self.root)

    def used_by(self, party: str, video_hash: str) -> None:
        """This party asks about the video: what is cached of it is theirs, as long as nobody else does."""
        self._owners.note(video_hash, party)

    @contextmanager
    def bringing(self, party: str) -> Iterator[Draft]:
        """What this party brings, which counts as its own while it comes."""
        draft = Draft(party)
        with self._guard:
            self._drafts.append(draft)
        try:
            yield draft
        finally:
            with self._guard:
                self._drafts.remove(draft)

    def grow(self, count: int, draft: Draft | None = None) -> None:
        """`count` more bytes are about to be written. Raises StorageFullError if they cannot find room."""
        if ahead := self.announced(count, draft or self._others):
            self.find_room(ahead, draft or self._others)

    def announced(self, count: int, draft: Draft) -> int:
        """`count` more bytes are about to be written; for how many room must be looked for now. Takes no time."""
        with self._guard:
            draft.bytes += count
            draft.announced += count
            if not self.limits.max_bytes or draft.announced < min(_STEP_BYTES, self.limits.max_bytes // 100):
                return 0
            ahead, draft.announced = draft.announced, 0
            self._used += ahead
            # Of small files the disk takes more than is announced.
            return ahead if draft is self._others or self._used > self.limits.max_bytes else 0

    def find_room(self, ahead: int, draft: Draft) -> None:
        """Sweep for what is about to be written. Raises StorageFullError if there is no room."""
        draft.held_up = ""
        used = self.sweep(ahead, draft=draft)
        with self._guard:
            self._used += ahead
        if used + ahead > self.limits.max_bytes:
            raise draft.no_room(used, self.limits.max_bytes)

    def bytes_of(self, kind: EntryKind) -> int:
        """What entries of a kind took when they were last counted."""
        return self._counted.get(kind, 0)

    def make_room(self, error: OSError) -> bool:
        """Whether an error says that the disk takes no more; then room was made for another try, as far as can be."""
        if not is_unwritable(error):
            return False
        if not is_full(error):
            return True
        used = disk_bytes(self.root)
        self._evict_in_turn(
            sorted(_of_videos(entries(self.root)), key=attrgetter("used_at")), used, used * _LOW_WATER, used
        )
        return True

    def sweep(self, ahead: int = 0, *, now: float | None = None, draft: Draft | None = None) -> int:
        """Delete what is too old, and as much of the rest as is too much; the bytes that remain in use. `draft` is what
        there must be room for."""
        now = time.time() if now is None else now
        with self._sweeping:
            if draft is None:
                delete_abandoned(self.root, now)
            found = sorted(entries(self.root), key=attrgetter("used_at"))
            self._counted = {kind: sum(entry.bytes for entry in found if entry.kind is kind) for kind in EntryKind}
            for entry in found:
                if 0 < self.limits.ttl_seconds < now - entry.used_at:
                    self._try_to_evict(entry)
            if self.limits.max_bytes:
                self._trim_small(found)
            used = disk_bytes(self.root)
            if self.limits.max_bytes and used + ahead > self.limits.max_bytes:
                goal, of_videos = self.limits.max_bytes * _LOW_WATER - ahead, list(_of_videos(found))
                used = self._evict_in_turn(of_videos, used, goal, self.limits.max_bytes, draft)
            self._owners.keep((entry.video_hash for entry in found), now)
            with self._guard:
                self._used = used
            return used

    def _evict_in_turn(
        self, oldest_first: list[CacheEntry], used: int, goal: float, whole: int, draft: Draft | None = None
    ) -> int:
        """Of users who hold more than their part first, of whoever has most; then of such callers, then of all. Of all
        not for a draft of one who still holds too much, and more than the draft."""
        for bound in BOUNDS:
            with self._guard:
                coming = [(other.party, other.bytes) for other in self._drafts]
            owned = [(self._owners.of(entry.video_hash), entry) for entry in oldest_first]
            holdings = Holdings(bound, whole, [*coming, *((party, entry.bytes) for party, entry in owned)])
            used = self._evict(holdings.of_who_has_most(owned), used, goal, holdings)
            if draft and used > goal and holdings.is_over(draft.party, draft.bytes):
                draft.held_up = bound.kind
                return used
            oldest_first = [entry for entry in oldest_first if entry.path.exists()]
        return self._evict(oldest_first, used, goal)

    def _trim_small(self, oldest_first: list[CacheEntry]) -> None:
        most = min(self.limits.max_bytes * _SMALL_PART, _SMALL_BYTES)
        for kind in EntryKind:
            if kind.is_small and self.bytes_of(kind) > most:
                mine = (entry for entry in oldest_first if entry.kind is kind)
                self._evict(mine, self.bytes_of(kind), most * _LOW_WATER)

    def _evict(
        self, oldest_first: Iterable[CacheEntry], used: int, goal: float, holdings: Holdings | None = None
    ) -> int:
        for entry in oldest_first:
            if used <= goal:
                break
            if self._try_to_evict(entry):
                used -= entry.bytes
                if holdings:
                    holdings.add(self._owners.of(entry.video_hash), -entry.bytes)
        return used

    def _try_to_evict(self, entry: CacheEntry) -> bool:
        try:
            gone = entry.evict()
        except OSError:
            return False
        if gone:
            self._counted = {**self._counted, entry.kind: max(0, self.bytes_of(entry.kind) - entry.bytes)}
            self.told(entry.kind)
        return gone


def entries(root: Path) -> Iterator[CacheEntry]:
    """Every entry of a cache folder, in no order; one that is deleted meanwhile is passed over."""
    for kind, depth in _DEPTH.items():
        for path in below(kind.folder(root), depth):
            if path.is_dir() is not kind.is_file:
                with suppress(OSError):
                    video_hash = "" if kind.is_small else path.relative_to(root / kind).parts[0]
                    yield CacheEntry(kind, path, video_hash, disk_bytes(path), _used_at(path))


def _of_videos(found: Iterable[CacheEntry]) -> Iterator[CacheEntry]:
    return (entry for entry in found if not entry.kind.is_small)


def disk_bytes(path: Path) -> int:
    """What a file, or all files below a folder, take on the disk; holes of sparse files take nothing."""
    if path.is_file():
        return path.stat().st_blocks * _BLOCK_BYTES
    total = 0
    for folder, _, files in os.walk(path):
        for name in files:
            with suppress(OSError):
                total += os.stat(os.path.join(folder, name), follow_symlinks=False).st_blocks * _BLOCK_BYTES
    return total


def _used_at(path: Path) -> float:
    lease = path / LEASE if path.is_dir() else path
    return (lease if lease.exists() else path).stat().st_mtime

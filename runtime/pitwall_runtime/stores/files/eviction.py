"""Keeps the cache folder below its quota: what was used longest ago goes first, what is in use never.

A cache entry is one video's pool, one video's embeddings under one encoder, or one download. Each has a lease, a file
whose lock its users share and whose modification time says when it was last used. Small entries, a file for a question
or an address, have a small part of the quota to themselves: whoever invents them evicts no video.
"""

import errno
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final

from pitwall_runtime.errors import StorageFullError
from pitwall_runtime.stores.files.lock import unused

LEASE: Final = ".lease"
"""The lease's name in an entry that is a folder."""

_BLOCK_BYTES: Final = 512
_LOW_WATER: Final = 0.9
"""Eviction goes on down to this share of the quota, so that not every write has to evict."""

_STEP_BYTES: Final = 64 << 20
_ABANDONED_SECONDS: Final = 3600.0
"""Drafts of dead processes, and locks that nobody holds, are deleted after this time."""

_SMALL_PART: Final = 1 / 100
_SMALL_BYTES: Final = 64 << 20
"""What all entries of a small kind may take: this part of the quota, and no more than this."""

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


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
    """The limits of one cache folder. Writers announce what they write; several processes may share the folder."""

    root: Path
    limits: CacheLimits = field(default_factory=CacheLimits)
    told: Callable[[EntryKind], None] = lambda _: None
    """Hears what kind of entry was evicted."""
    _announced: int = 0
    _counted: Mapping[EntryKind, int] = field(default_factory=dict)
    _guard: threading.Lock = field(default_factory=threading.Lock)
    _sweeping: threading.Lock = field(default_factory=threading.Lock)

    def grow(self, count: int) -> None:
        """`count` more bytes are about to be written. Raises StorageFullError if they cannot find room."""
        if not self.limits.max_bytes:
            return
        with self._guard:
            self._announced += count
            if self._announced < min(_STEP_BYTES, self.limits.max_bytes // 100):
                return
            ahead, self._announced = self._announced, 0
        used = self.sweep(ahead)
        if used + ahead > self.limits.max_bytes:
            raise StorageFullError(
                f"the cache has no room: {used} bytes are in use, and its limit is {self.limits.max_bytes}; "
                "ask again later, or have the operator enlarge it"
            )

    def bytes_of(self, kind: EntryKind) -> int:
        """What entries of a kind took when they were last counted."""
        return self._counted.get(kind, 0)

    def make_room(self, error: OSError) -> bool:
        """Whether an error says that the disk is full; then room was made, as far as possible, for another try."""
        if error.errno not in _FULL:
            return False
        used = disk_bytes(self.root)
        self._evict(sorted(_of_videos(entries(self.root)), key=_age), used, used * _LOW_WATER)
        return True

    def sweep(self, ahead: int = 0, *, now: float | None = None) -> int:
        """Delete what is too old, and as much of the rest as is too much; the bytes that remain in use."""
        now = time.time() if now is None else now
        with self._sweeping:
            delete_abandoned(self.root, now)
            found = sorted(entries(self.root), key=_age)
            self._counted = {kind: sum(entry.bytes for entry in found if entry.kind is kind) for kind in EntryKind}
            if self.limits.ttl_seconds:
                for entry in found:
                    if now - entry.used_at > self.limits.ttl_seconds:
                        self._try_to_evict(entry)
            if self.limits.max_bytes:
                self._trim_small(found)
            used = disk_bytes(self.root)
            if self.limits.max_bytes and used + ahead > self.limits.max_bytes:
                used = self._evict(_of_videos(found), used, self.limits.max_bytes * _LOW_WATER - ahead)
            return used

    def _trim_small(self, oldest_first: list[CacheEntry]) -> None:
        most = min(self.limits.max_bytes * _SMALL_PART, _SMALL_BYTES)
        for kind in EntryKind:
            if kind.is_small and self.bytes_of(kind) > most:
                mine = (entry for entry in oldest_first if entry.kind is kind)
                self._evict(mine, self.bytes_of(kind), most * _LOW_WATER)

    def _evict(self, oldest_first: Iterable[CacheEntry], used: int, goal: float) -> int:
        for entry in oldest_first:
            if used <= goal:
                break
            if self._try_to_evict(entry):
                used -= entry.bytes
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
        for path in _below(kind.folder(root), depth):
            if path.is_dir() is not kind.is_file:
                with suppress(OSError):
                    video_hash = "" if kind.is_small else path.relative_to(root / kind).parts[0]
                    yield CacheEntry(kind, path, video_hash, disk_bytes(path), _used_at(path))


def _of_videos(found: Iterable[CacheEntry]) -> Iterator[CacheEntry]:
    return (entry for entry in found if not entry.kind.is_small)


def _below(folder: Path, depth: int) -> Iterator[Path]:
    """What lies so many folders down and is not hidden. Unlike `Path.glob`, it bears folders that vanish meanwhile."""
    try:
        names = [name for name in os.listdir(folder) if not name.startswith(".")]
    except OSError:
        return
    for name in names:
        if depth == 1:
            yield folder / name
        else:
            yield from _below(folder / name, depth - 1)


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


def delete_abandoned(root: Path, now: float) -> None:
    """Delete what dead processes left: drafts, half downloads, half evictions, and locks that nobody holds."""
    for parent, folders, files in os.walk(root):
        for name in (*folders, *files):
            if name.startswith((".draft-", ".part-", ".evicted-")):
                with suppress(OSError):
                    _delete_if_old(Path(parent, name), now)
    for path in _below(root / "locks", 1):
        with suppress(OSError):
            if now - path.stat().st_mtime > _ABANDONED_SECONDS:
                _unlink_unused(path)


def _delete_if_old(path: Path, now: float) -> None:
    if now - path.stat().st_mtime > _ABANDONED_SECONDS and not _written_lately(path, now):
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def _unlink_unused(lock: Path) -> None:
    with unused(lock) as alone:
        if alone:
            lock.unlink()


def _written_lately(path: Path, now: float) -> bool:
    return path.is_dir() and any(now - file.stat().st_mtime <= _ABANDONED_SECONDS for file in path.rglob("*"))


def _used_at(path: Path) -> float:
    lease = path / LEASE if path.is_dir() else path
    return (lease if lease.exists() else path).stat().st_mtime


def _age(entry: CacheEntry) -> float:
    return entry.used_at


def is_full(error: OSError) -> bool:
    """Whether an error says that the disk, or one's share of it, is full."""
    return error.errno in _FULL

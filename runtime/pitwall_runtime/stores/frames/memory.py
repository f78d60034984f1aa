"""Keeps frame pools in memory, up to so many bytes: where the disk is full, and in tests of users of a store."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pitwall_runtime.deadline import Deadline
from pitwall_runtime.errors import StorageFullError
from pitwall_runtime.media import Frame, FramePool, PoolSpec, Shot, Timeline, Video
from pitwall_runtime.stores.files.drafts import PoolDraft
from pitwall_runtime.stores.files.jpegs import Held, encoded
from pitwall_runtime.stores.frames.port import FrameStore, PoolWriter

MEMORY_BYTES: Final = 512 << 20

_NOWHERE: Final = Path()

PoolKey = tuple[str, PoolSpec]


@dataclass(slots=True)
class StoredPool:
    """A pool with its pictures, and how many hold it."""

    pool: FramePool
    jpegs: list[bytes]
    bytes: int
    holders: int = 0


@dataclass(slots=True)
class MemoryWriter:
    """Collects JPEGs. `grow` is asked before each."""

    draft: PoolDraft
    grow: Callable[[int], None]
    jpegs: list[bytes] = field(default_factory=list)
    bytes: int = 0
    held: Held = field(default_factory=Held)

    def add(self, frame: Frame) -> None:
        """Keep one frame, and its JPEG unless it is the picture before it."""
        if self.held.still(frame):
            self.jpegs.append(self.jpegs[-1])
        else:
            jpeg = encoded(frame)
            self.grow(len(jpeg))
            self.bytes += len(jpeg)
            self.jpegs.append(jpeg)
        self.draft.note(frame)

    def commit(self, timeline: Timeline, shots: tuple[Shot, ...]) -> FramePool:
        """The pool; the store makes it visible."""
        return self.draft.pool(timeline, shots)


class MemoryFrameStore:
    """A frame store of this process alone. What was used longest ago goes first, what is held never."""

    def __init__(self, max_bytes: int = MEMORY_BYTES) -> None:
        self._max_bytes = max_bytes
        self._pools: OrderedDict[PoolKey, StoredPool] = OrderedDict()
        self._guard = threading.Lock()
        self.bytes = 0

    def find(self, video: Video, spec: PoolSpec) -> FramePool | None:
        """The pool if this process has it."""
        with self._guard:
            stored = self._pools.get((video.content_hash, spec))
            return stored.pool if stored else None

    def write(
        self,
        video: Video,
        spec: PoolSpec,
        fill: Callable[[PoolWriter], FramePool],
        deadline: Deadline | None = None,
    ) -> FramePool:
        """Collect a new pool. Raises StorageFullError where what is held leaves it no room, and what `fill` raises."""
        del deadline  # nothing here waits
        writer = MemoryWriter(PoolDraft(video, spec), self._grow)
        try:
            pool = fill(writer)
        except BaseException:
            self._give_back(writer)
            raise
        with self._guard:
            before = self._pools.pop((video.content_hash, spec), None)
            self.bytes -= before.bytes if before else 0
            self._pools[video.content_hash, spec] = StoredPool(pool, writer.jpegs, writer.bytes)
        return pool

    def share(self, video: Video, spec: PoolSpec, deadline: Deadline | None = None) -> None:
        """Nothing: it is this machine's alone."""

    @contextmanager
    def hold(self, video: Video, spec: PoolSpec) -> Iterator[FramePool | None]:
        """The pool, kept while the `with` lasts; None if it is not there (any more)."""
        with self._guard:
            stored = self._pools.get((video.content_hash, spec))
            if stored:
                stored.holders += 1
                self._pools.move_to_end((video.content_hash, spec))
        try:
            yield stored.pool if stored else None
        finally:
            with self._guard:
                if stored:
                    stored.holders -= 1

    def jpeg(self, pool: FramePool, index: int) -> bytes:
        """One frame's JPEG. Raises KeyError for a pool that is not here."""
        with self._guard:
            return self._pools[pool.video_hash, pool.spec].jpegs[index]

    def _grow(self, count: int) -> None:
        with self._guard:
            for key in [key for key, stored in self._pools.items() if not stored.holders]:
                if self.bytes + count <= self._max_bytes:
                    break
                self.bytes -= self._pools.pop(key).bytes
            if self.bytes + count > self._max_bytes:
                raise StorageFullError(
                    f"the disk is full, and the memory for frames ({self._max_bytes} bytes) too; ask again later"
                )
            self.bytes += count

    def _give_back(self, writer: MemoryWriter) -> None:
        with self._guard:
            self.bytes -= writer.bytes


class SpillingFrameStore:
    """Pools in the first store, and those that it has no room for in the second: a full disk costs no answer."""

    def __init__(self, disk: FrameStore, spill: FrameStore) -> None:
        self._disk, self._spill = disk, spill

    def find(self, video: Video, spec: PoolSpec) -> FramePool | None:
        """The pool, wherever it is."""
        return self._disk.find(video, spec) or self._spill.find(video, spec)

    def write(
        self,
        video: Video,
        spec: PoolSpec,
        fill: Callable[[PoolWriter], FramePool],
        deadline: Deadline | None = None,
    ) -> FramePool:
        """Write to the disk; if that is full, decode once more into memory. Raises what both raise."""
        try:
            return self._disk.write(video, spec, fill, deadline)
        except StorageFullError:
            return self._spill.write(video, spec, fill, deadline)

    def share(self, video: Video, spec: PoolSpec, deadline: Deadline | None = None) -> None:
        """What the disk has; what is only in memory goes soon."""
        self._disk.share(video, spec, deadline)

    @contextmanager
    def hold(self, video: Video, spec: PoolSpec) -> Iterator[FramePool | None]:
        """The pool, kept wherever it is while the `with` lasts; None if it is nowhere."""
        with self._disk.hold(video, spec) as pool:
            if pool:
                yield pool
                return
        with self._spill.hold(video, spec) as pool:
            yield pool

    def jpeg(self, pool: FramePool, index: int) -> bytes:
        """One frame's JPEG."""
        video = Video(pool.video_hash, _NOWHERE)
        return (self._disk if self._disk.find(video, pool.spec) else self._spill).jpeg(pool, index)

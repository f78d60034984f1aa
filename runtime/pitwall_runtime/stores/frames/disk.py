"""Keeps frame pools on the local disk: a folder with `pool.json` and `frames.bin` (JPEGs end to end) for each.

A picture that is seen at several instants in a row is there once: `pictures` of the table says which JPEG each instant
has, `edges` where each JPEG begins and ends, `checks` what it must be. What is not as it was written (a node lost its
power, an object was cut or exchanged) makes way, and is decoded again.
"""

import os
import shutil
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

from pitwall_runtime.deadline import Deadline
from pitwall_runtime.errors import StorageFullError, UnavailableError
from pitwall_runtime.media import Frame, FramePool, PoolSpec, Shot, Timeline, Video
from pitwall_runtime.stores.files import tables
from pitwall_runtime.stores.files.drafts import PoolDraft, drafted
from pitwall_runtime.stores.files.eviction import LEASE, Quota
from pitwall_runtime.stores.files.jpegs import Held, check_size, encoded
from pitwall_runtime.stores.files.lock import held
from pitwall_runtime.stores.files.tables import PoolTable, Tables
from pitwall_runtime.stores.frames.port import PoolWriter

TABLE: Final = "pool.json"
FRAMES: Final = "frames.bin"


class DiskWriter:
    """Appends JPEGs to a file in a temporary folder."""

    def __init__(self, folder: Path, video: Video, spec: PoolSpec, grow: Callable[[int], None]) -> None:
        self._folder, self._draft, self._grow = folder, PoolDraft(video, spec), grow
        (folder / LEASE).touch()
        self._frames: BinaryIO = (folder / FRAMES).open("wb")
        self._held = Held()
        self._pictures: list[int] = []
        self._edges = [0]
        self._checks: list[int] = []

    def add(self, frame: Frame) -> None:
        """Append one frame, and its JPEG unless it is the picture before it."""
        if not self._held.still(frame):
            jpeg = encoded(frame)
            check_size(self._edges[-1] + len(jpeg))
            self._grow(len(jpeg))
            self._frames.write(jpeg)
            self._edges.append(self._edges[-1] + len(jpeg))
            self._checks.append(zlib.crc32(jpeg))
        self._draft.note(frame)
        self._pictures.append(len(self._edges) - 2)

    def commit(self, timeline: Timeline, shots: tuple[Shot, ...]) -> FramePool:
        """Write the table of contents; the folder is renamed by the store."""
        self._frames.flush()
        os.fsync(self._frames.fileno())
        pool = self._draft.pool(timeline, shots)
        tables.write(self._folder / TABLE, PoolTable(pool, self._pictures, self._edges, self._checks))
        return pool

    def close(self) -> None:
        """Let go of the file."""
        self._frames.close()


class DiskFrameStore:
    """Frame pools under one folder: `<root>/<video hash>/<pool key>/`."""

    def __init__(self, root: Path, quota: Quota | None = None) -> None:
        self._root = root
        self._quota = quota or Quota(root.parent)
        self._tables = Tables()

    def find(self, video: Video, spec: PoolSpec) -> FramePool | None:
        """The pool, from memory or from disk; None if nobody decoded it yet, or what is left of it is damaged."""
        table = self._whole(video, spec)
        return table.pool if table else None

    def write(
        self,
        video: Video,
        spec: PoolSpec,
        fill: Callable[[PoolWriter], FramePool],
        deadline: Deadline | None = None,
    ) -> FramePool:
        """Fill a temporary folder, then rename it into place; a damaged pool makes way for it.

        Nothing here waits, so `deadline` is of no matter.
        Raises StorageFullError where the disk or the quota has no room, MediaTooLargeError for a pool beyond the bound,
        other OSErrors of the system, and what `fill` raises.
        """
        del deadline
        folder = self._folder(video.content_hash, spec)
        if self.find(video, spec) is None:
            shutil.rmtree(folder, ignore_errors=True)
        try:
            with drafted(folder) as draft, closing(DiskWriter(draft, video, spec, self._quota.grow)) as writer:
                return fill(writer)
        except OSError as error:
            if not self._quota.make_room(error):
                raise
            raise StorageFullError("the cache's disk is full or read-only; free some of it, or enlarge it") from None

    def adopt(
        self,
        video: Video,
        spec: PoolSpec,
        names: Sequence[str],
        fetch: Callable[[str, Path, Callable[[int], None]], None],
    ) -> FramePool | None:
        """The pool whose files `fetch` brings from elsewhere; None if it raises FileNotFoundError, or that is damaged.

        Raises StorageFullError.
        """
        folder = self._folder(video.content_hash, spec)
        try:
            with drafted(folder) as draft:
                (draft / LEASE).touch()
                for name in names:
                    fetch(name, draft / name, self._quota.grow)
        except FileNotFoundError:
            return None
        table = self._whole(video, spec)
        if table is None or not _is_as_written(folder / FRAMES, table):
            shutil.rmtree(folder, ignore_errors=True)
            return None
        return table.pool

    def file_of(self, pool: FramePool, name: str) -> Path:
        """Where one of a pool's files lies."""
        return self._folder(pool.video_hash, pool.spec) / name

    def share(self, video: Video, spec: PoolSpec, deadline: Deadline | None = None) -> None:
        """Nothing: it is this machine's alone."""

    @contextmanager
    def hold(self, video: Video, spec: PoolSpec) -> Iterator[FramePool | None]:
        """The pool, kept from eviction while the `with` lasts; None if it is not there (any more)."""
        with ExitStack() as stack:
            try:
                stack.enter_context(held(self._folder(video.content_hash, spec) / LEASE))
            except (FileNotFoundError, NotADirectoryError):
                yield None
                return
            yield self.find(video, spec)

    def jpeg(self, pool: FramePool, index: int) -> bytes:
        """One frame's JPEG. Raises UnavailableError if it is not as it was written; the pool is then none any more."""
        table = self._whole(Video(pool.video_hash, self._root), pool.spec)
        if table is not None:
            picture = table.pictures[index]
            with self.file_of(pool, FRAMES).open("rb") as frames:
                jpeg = _read(frames, table, picture)
            if zlib.crc32(jpeg) == table.checks[picture]:
                return jpeg
            with suppress(OSError):  # of a disk that takes no more
                self.file_of(pool, TABLE).unlink(missing_ok=True)
        raise UnavailableError("the frames that are kept of this video are damaged; ask again: it is decoded anew")

    def _whole(self, video: Video, spec: PoolSpec) -> PoolTable | None:
        """The table, if it can be read and the pictures have the size that it says."""
        try:
            table = self._table(video.content_hash, spec)
            size = (self._folder(video.content_hash, spec) / FRAMES).stat().st_size
        except (OSError, ValueError, LookupError, TypeError):
            return None
        return table if size == table.edges[-1] else None

    def _table(self, video_hash: str, spec: PoolSpec) -> PoolTable:
        """Raises OSError, ValueError and the like."""
        return self._tables.read(self._folder(video_hash, spec) / TABLE, video_hash, spec)

    def _folder(self, video_hash: str, spec: PoolSpec) -> Path:
        return self._root / video_hash / spec.key


def has_frames(root: Path, video_hash: str) -> bool:
    """Whether any pool of the video is below the folder `root`."""
    return any((root / video_hash).glob(f"*/{TABLE}"))


def _is_as_written(path: Path, table: PoolTable) -> bool:
    """Whether all pictures of a file are what the table says."""
    with path.open("rb") as frames:
        return all(zlib.crc32(_read(frames, table, picture)) == check for picture, check in enumerate(table.checks))


def _read(frames: BinaryIO, table: PoolTable, picture: int) -> bytes:
    begin, end = table.edges[picture], table.edges[picture + 1]
    frames.seek(begin)
    return frames.read(end - begin)

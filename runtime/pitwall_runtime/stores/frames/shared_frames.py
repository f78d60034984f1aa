"""Keeps pools on the disk and shares them through object storage: what one machine decoded, none decodes again."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

from pitwall_runtime.deadline import Deadline
from pitwall_runtime.media import FramePool, PoolSpec, Video
from pitwall_runtime.stores.frames.disk import FRAMES, TABLE, DiskFrameStore
from pitwall_runtime.stores.frames.port import PoolWriter
from pitwall_runtime.stores.network.shared import Shared

_FILES: Final = (FRAMES, TABLE)
"""The table of contents is shared last: who finds it finds the frames."""


class SharedFrameStore:
    """A disk store that asks the objects before it lets a pool be made, and gives them what was made."""

    def __init__(self, disk: DiskFrameStore, shared: Shared) -> None:
        self._disk, self._shared = disk, shared

    def find(self, video: Video, spec: PoolSpec) -> FramePool | None:
        """The pool if it is on this machine."""
        return self._disk.find(video, spec)

    def write(
        self,
        video: Video,
        spec: PoolSpec,
        fill: Callable[[PoolWriter], FramePool],
        deadline: Deadline | None = None,
    ) -> FramePool:
        """The pool from the objects, else from `fill`. Raises what the disk's store raises."""
        place = _place(video.content_hash, spec)

        def fetch(name: str, target: Path, grow: Callable[[int], None]) -> None:
            if not self._shared.fetch(f"{place}/{name}", target, grow, deadline):
                raise FileNotFoundError(name)

        known = self._disk.adopt(video, spec, _FILES, fetch)
        if known:
            return known
        pool = self._disk.write(video, spec, fill)
        self._shared.keep(self._files(pool), deadline)
        return pool

    def share(self, video: Video, spec: PoolSpec, deadline: Deadline | None = None) -> None:
        """Give the objects a pool that was made while they were away, or that the bucket's rules have deleted."""
        pool = self._disk.find(video, spec)
        if pool and self._shared.lacks(self._files(pool), deadline):
            self._shared.keep(self._files(pool), deadline)

    def _files(self, pool: FramePool) -> list[tuple[str, Path]]:
        place = _place(pool.video_hash, pool.spec)
        return [(f"{place}/{name}", self._disk.file_of(pool, name)) for name in _FILES]

    def hold(self, video: Video, spec: PoolSpec) -> AbstractContextManager[FramePool | None]:
        """The pool, kept from eviction while the `with` lasts; None if it is not on this machine (any more)."""
        return self._disk.hold(video, spec)

    def jpeg(self, pool: FramePool, index: int) -> bytes:
        """One frame's JPEG."""
        return self._disk.jpeg(pool, index)


def _place(video_hash: str, spec: PoolSpec) -> str:
    return f"frames/{video_hash}/{spec.key}"

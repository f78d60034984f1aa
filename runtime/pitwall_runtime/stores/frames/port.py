"""The interface of every frame store. Handles are (pool, index); pixels travel as JPEG."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

from pitwall_runtime.deadline import Deadline
from pitwall_runtime.media import Frame, FramePool, PoolSpec, Shot, Timeline, Video


class PoolWriter(Protocol):
    """Takes frames in time order; nothing is visible to readers before `commit`."""

    def add(self, frame: Frame) -> None:
        """Store one frame."""

    def commit(self, timeline: Timeline, shots: tuple[Shot, ...]) -> FramePool:
        """Make the whole pool visible at once."""


class FrameStore(Protocol):
    """Where pools live."""

    def find(self, video: Video, spec: PoolSpec) -> FramePool | None:
        """The pool if it was decoded before, by any process."""

    def write(
        self,
        video: Video,
        spec: PoolSpec,
        fill: Callable[[PoolWriter], FramePool],
        deadline: Deadline | None = None,
    ) -> FramePool:
        """Let `fill` write a new pool; on an error nothing remains of it. `deadline` is of the question that waits.

        Raises StorageFullError, and what `fill` raises.
        """

    def share(self, video: Video, spec: PoolSpec, deadline: Deadline | None = None) -> None:
        """Give a pool that is here to other machines, if there are any and it is not where they look for it."""

    def hold(self, video: Video, spec: PoolSpec) -> AbstractContextManager[FramePool | None]:
        """The pool, kept from eviction while the `with` lasts; None if it is not there (any more)."""

    def jpeg(self, pool: FramePool, index: int) -> bytes:
        """The JPEG of one pool frame."""

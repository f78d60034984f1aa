"""Prepares a video's pool of frames: decoded, cut into shots and stored once for all processes."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pitwall_runtime.deadline import Deadline
from pitwall_runtime.decode.catalogue import DEFAULT as DEFAULT_DECODER
from pitwall_runtime.decode.port import Limits
from pitwall_runtime.decode.process import decode
from pitwall_runtime.errors import MediaBrokenError, UnavailableError
from pitwall_runtime.media import Frame, FramePool, PoolSpec, Video
from pitwall_runtime.segment import Segmenter
from pitwall_runtime.stores.lock import exclusive
from pitwall_runtime.stores.port import FrameStore, PoolWriter

_TRIES = 3


@dataclass(slots=True)
class Preparation:
    """Where pools are kept, how they are made, and how long that may take."""

    store: FrameStore
    locks: Path
    spec: PoolSpec
    limit_seconds: float = 600.0
    backend: str = DEFAULT_DECODER
    videos_decoded: int = 0

    def pool(self, video: Video, deadline: Deadline | None = None) -> FramePool:
        """The video's pool, from the store or decoded now. Whoever comes second waits for the first.

        Raises what `decode` raises, UnavailableError, or TooLateError once the deadline has passed.
        """
        deadline = deadline or Deadline()
        known = self.store.find(video, self.spec)
        if known:
            return known
        lock = self.lock_of(video.content_hash)
        with exclusive(lock, limit_seconds=self.limit_seconds, deadline=deadline):
            known = self.store.find(video, self.spec)
            if known:
                return known
            deadline.check()
            return self.store.write(video, self.spec, lambda writer: self._fill(video, writer, deadline))

    @contextmanager
    def held(self, video: Video, deadline: Deadline | None = None) -> Iterator[FramePool]:
        """`pool`, kept from eviction while the `with` lasts. Raises what `pool` raises."""
        for _ in range(_TRIES):
            self.pool(video, deadline)
            with self.store.hold(video, self.spec) as pool:
                if pool:
                    yield pool
                    return
        raise UnavailableError("the video's frames are evicted as soon as they are made; have the cache enlarged")

    def lock_of(self, video_hash: str) -> Path:
        """The lock that whoever writes anything about this video holds."""
        return self.locks / f"{video_hash}.lock"

    def _fill(self, video: Video, writer: PoolWriter, deadline: Deadline) -> FramePool:
        """One pass: each frame is watched for cuts and stored as it comes out of the decoder."""
        segmenter = Segmenter(self.spec)
        self.videos_decoded += 1

        def on_frame(frame: Frame) -> None:
            deadline.check()
            segmenter.watch(frame)
            writer.add(frame)

        limits = Limits(wall_seconds=deadline.within(self.limit_seconds))
        try:
            timeline = decode(video.path, self.spec, on_frame, backend=self.backend, limits=limits)
        except MediaBrokenError:
            deadline.check()  # the decoder was stopped because the question's time is over: the file may be fine
            raise
        return writer.commit(timeline, segmenter.shots())

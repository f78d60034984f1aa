"""Prepares a video's pool of frames: decoded, cut into shots and stored once for all processes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pitwall_runtime.deadline import Deadline
from pitwall_runtime.decode.catalogue import DEFAULT as DEFAULT_DECODER
from pitwall_runtime.decode.memory import DecodeMemory
from pitwall_runtime.decode.port import Limits
from pitwall_runtime.decode.process import decode
from pitwall_runtime.errors import MediaBrokenError, UnavailableError
from pitwall_runtime.media import Frame, FramePool, PoolSpec, Video
from pitwall_runtime.segment import Segmenter
from pitwall_runtime.stores.lock import exclusive
from pitwall_runtime.stores.port import FrameStore, PoolWriter

_TRIES = 3

Told = Callable[[float], None]
"""Hears how many seconds of a video are decoded."""


@dataclass(slots=True)
class Preparation:
    """Where pools are kept, how they are made, how long that may take, and in which memory."""

    store: FrameStore
    locks: Path
    spec: PoolSpec
    limit_seconds: float = 600.0
    backend: str = DEFAULT_DECODER
    memory: DecodeMemory = field(default_factory=DecodeMemory)
    videos_decoded: int = 0

    def pool(self, video: Video, deadline: Deadline | None = None, told: Told = lambda _: None) -> FramePool:
        """The video's pool, from the store or decoded now; `told` hears of each frame. Whoever comes second waits for
        the first.

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
            return self.store.write(video, self.spec, lambda writer: self._fill(video, writer, deadline, told))

    def is_stored(self, video: Video) -> bool:
        """Whether the video's pool is there already."""
        return self.store.find(video, self.spec) is not None

    @contextmanager
    def held(self, video: Video, deadline: Deadline | None = None, told: Told = lambda _: None) -> Iterator[FramePool]:
        """`pool`, kept from eviction while the `with` lasts. Raises what `pool` raises."""
        for _ in range(_TRIES):
            self.pool(video, deadline, told)
            with self.store.hold(video, self.spec) as pool:
                if pool:
                    yield pool
                    return
        raise UnavailableError("the video's frames are evicted as soon as they are made; have the cache enlarged")

    def lock_of(self, video_hash: str) -> Path:
        """The lock that whoever writes anything about this video holds."""
        return self.locks / f"{video_hash}.lock"

    def _fill(self, video: Video, writer: PoolWriter, deadline: Deadline, told: Told) -> FramePool:
        """One pass: each frame is watched for cuts and stored as it comes out of the decoder.

        While other videos wait for their turn, cuts are looked for in less time.
        """
        segmenter = Segmenter(self.spec, overloaded=lambda: self.memory.waiting > 0)
        self.videos_decoded += 1

        def on_frame(frame: Frame) -> None:
            deadline.check()
            segmenter.watch(frame)
            writer.add(frame)
            told(float(frame.pts * self.spec.time_base))

        limits = Limits(self.limit_seconds, deadline=deadline)
        try:
            timeline = decode(video.path, self.spec, on_frame, backend=self.backend, limits=limits, memory=self.memory)
        except MediaBrokenError:
            deadline.check()  # the decoder was stopped because the question's time is over: the file may be fine
            raise
        return writer.commit(timeline, segmenter.shots())

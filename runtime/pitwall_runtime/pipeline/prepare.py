"""Prepares a video's pool of frames: decoded, cut into shots and stored once for all processes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from pitwall_runtime.deadline import Deadline
from pitwall_runtime.errors import MediaBrokenError, UnavailableError
from pitwall_runtime.media import WHOLE, Frame, FramePool, PoolSpec, Stretch, Video
from pitwall_runtime.stages.decode.catalogue import DEFAULT as DEFAULT_DECODER
from pitwall_runtime.stages.decode.memory import DecodeMemory
from pitwall_runtime.stages.decode.port import MAX_SECONDS, Limits
from pitwall_runtime.stages.decode.process import decode
from pitwall_runtime.stages.segment.segment import CutDetection, Segmenter
from pitwall_runtime.stores.files.lock import exclusive
from pitwall_runtime.stores.frames.port import FrameStore, PoolWriter

_TRIES = 3
_LEAST_SECONDS = 60
"""Of the shortest beginning of a video that is decoded alone; others are twice as long, four times, …"""

Told = Callable[[float], None]
"""Hears how many seconds of a video are decoded."""


class PoolSource(StrEnum):
    """Where a pool came from, by the names that tiers have in metrics."""

    DISK = "disk"
    OBJECTS = "s3"
    DECODED = "decoded"


@dataclass(slots=True)
class Preparation:
    """Where pools are kept, how they are made, how long that may take, and in which memory."""

    store: FrameStore
    locks: Path
    spec: PoolSpec
    limit_seconds: float = 600.0
    backend: str = DEFAULT_DECODER
    memory: DecodeMemory = field(default_factory=DecodeMemory)
    detection: CutDetection | None = None
    videos_decoded: int = 0

    def _have(self, video: Video, spec: PoolSpec, deadline: Deadline, told: Told) -> PoolSource:
        """See to it that the pool is in the store, decoded now if need be. Whoever comes second waits for the first."""
        if self.store.find(video, spec):
            return PoolSource.DISK
        lock = self.lock_of(video.content_hash, spec)
        with exclusive(lock, limit_seconds=self.limit_seconds, deadline=deadline):
            if self.store.find(video, spec):
                return PoolSource.DISK
            deadline.check()
            source = PoolSource.OBJECTS

            def fill(writer: PoolWriter) -> FramePool:
                nonlocal source
                source = PoolSource.DECODED
                return self._fill(video, spec, writer, deadline, told)

            self.store.write(video, spec, fill, deadline)
            return source

    def spec_of(self, video: Video, stretch: Stretch) -> PoolSpec:
        """Which pool answers for the stretch: the whole one where it is needed or there, else one of the beginning."""
        if stretch.end_seconds >= MAX_SECONDS or self.store.find(video, self.spec):
            return self.spec
        first = _LEAST_SECONDS
        while first < stretch.end_seconds:
            first *= 2
        return replace(self.spec, first_seconds=first)

    def is_stored(self, video: Video, stretch: Stretch = WHOLE) -> bool:
        """Whether the pool that answers for the stretch is there already."""
        return self.store.find(video, self.spec_of(video, stretch)) is not None

    @contextmanager
    def held(
        self,
        video: Video,
        deadline: Deadline | None = None,
        told: Told = lambda _: None,
        stretch: Stretch = WHOLE,
        *,
        came_from: Callable[[PoolSource], None] = lambda _: None,
        for_others: bool = False,
    ) -> Iterator[FramePool]:
        """The video's pool, or one of its beginning if the stretch needs no more, from the store or decoded now.

        It is kept from eviction while the `with` lasts; `told` hears of each frame, `came_from` of the source. For a
        beginning nobody waits for the rest. `for_others`: other machines shall find it, too.

        Raises what `decode` raises, UnavailableError, or TooLateError once the deadline has passed.
        """
        for _ in range(_TRIES):
            spec = self.spec_of(video, stretch)
            source = self._have(video, spec, deadline or Deadline(), told)
            with self.store.hold(video, spec) as pool:
                if pool:
                    came_from(source)
                    if for_others and source is PoolSource.DISK:
                        self.store.share(video, spec, deadline)
                    yield pool
                    return
        raise UnavailableError("the video's frames are evicted as soon as they are made; have the cache enlarged")

    def lock_of(self, video_hash: str, spec: PoolSpec) -> Path:
        """The lock that whoever writes anything about this video, or about its beginning, holds."""
        return self.locks / f"{video_hash}{spec.part}.lock"

    def _fill(self, video: Video, spec: PoolSpec, writer: PoolWriter, deadline: Deadline, told: Told) -> FramePool:
        """One pass: each frame is watched for cuts and stored as it comes out of the decoder.

        While other videos wait for their turn, cuts are looked for in less time.
        """
        segmenter = Segmenter(spec, self.detection, overloaded=lambda: self.memory.waiting > 0)
        self.videos_decoded += 1
        shown = 0

        def on_frame(frame: Frame) -> None:
            nonlocal shown
            deadline.check()
            shown += 1
            segmenter.watch(frame)
            writer.add(frame)
            told(float(frame.pts * spec.time_base))

        limits = Limits(self.limit_seconds, deadline=deadline)
        try:
            timeline = decode(video.path, spec, on_frame, backend=self.backend, limits=limits, memory=self.memory)
        except MediaBrokenError:
            deadline.check()  # the decoder was stopped because the question's time is over: the file may be fine
            raise
        if not shown:
            raise MediaBrokenError(
                "no picture of this video is left at any of its instants; it is damaged, upload it again"
            )
        return writer.commit(timeline, segmenter.shots())

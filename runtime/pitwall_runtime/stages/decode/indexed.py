"""Makes the pool with a library that decodes pictures by number: which numbers, a look at the file's packets tells.

Such libraries know neither gaps nor damage nor how a picture is turned. So the file is surveyed first, and a video that
the library would show wrongly is left to PyAV.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import numpy as np
from av.error import FFmpegError
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from pitwall_runtime.errors import UnsupportedVideoError
from pitwall_runtime.media import TICKS, Caption, Frame, PoolSpec, Rgb
from pitwall_runtime.stages.decode.libav.codecs.side_data import display_matrix
from pitwall_runtime.stages.decode.libav.files.container import Source
from pitwall_runtime.stages.decode.libav.files.emptiness import is_end, is_held
from pitwall_runtime.stages.decode.libav.files.opening import opened
from pitwall_runtime.stages.decode.libav.pictures.aperture import aperture_of
from pitwall_runtime.stages.decode.libav.pictures.tone import HLG, PQ
from pitwall_runtime.stages.decode.libav.pictures.upright import size_of
from pitwall_runtime.stages.decode.libav.pictures.webp import is_webp
from pitwall_runtime.stages.decode.port import MAX_POOL_FRAMES, Ended

_BATCH = 32
"""Pictures fetched at once: bounds memory, and lets the first of them go out early."""

_CONTAINERS = ("mov", "matroska")
"""Whose packets tell each picture's time; elsewhere clocks restart or pictures are only counted."""

Fetch = Callable[[Sequence[int]], np.ndarray]
"""Pictures by number, [count, height, width, 3] RGB."""


@dataclass(frozen=True, slots=True)
class Survey:
    """What a file's packets tell: when each picture begins, in display order, which are key pictures, where the last
    one ends, which stream is the film, of how many with pictures, the size of pool pictures, and the subtitles."""

    starts: tuple[int, ...]
    keys: tuple[int, ...]
    end: int
    time_base: Fraction
    stream: int
    streams: int
    size: tuple[int, int]
    subtitles: tuple[Caption, ...]


OpenVideo = Callable[[str, Survey], tuple[int, Fetch]]
"""Opens a file for pictures as the survey wants them; gives how many pictures the library finds, and how to fetch
them."""


def survey(path: str, height: int) -> Survey:
    """Look at all packets, and decode the key pictures only. Raises UnsupportedVideoError with what is unusual."""
    if is_webp(path):
        raise UnsupportedVideoError("FFmpeg reads no moving WebP")
    with opened(path) as source:
        if not source.container.format.name.startswith(_CONTAINERS):
            raise UnsupportedVideoError(f"pictures of a {source.container.format.name} file are not numbered")
        if not source.keeps_display_times:
            raise UnsupportedVideoError("its file says only when pictures are decoded, not when they are shown")
        if aperture_of(source.stream).crops:
            raise UnsupportedVideoError("its file says that a part of its pictures is not seen")
        if source.stream.codec.intra_only:
            raise UnsupportedVideoError("each picture stands alone, so PyAV skips whole ones, which is faster")
        size = size_of(source.stream.width, source.stream.height, height)
        try:
            pictures = sorted(_starts(source))
        except FFmpegError as error:
            raise UnsupportedVideoError(f"a key picture does not decode: {error}") from None
        end, declared = source.ends()
        if not pictures or (declared and declared > end + source.tick):
            raise UnsupportedVideoError("the file is damaged or ends early")
        return Survey(
            starts=tuple(start for start, _ in pictures),
            keys=tuple(number for number, (_, key) in enumerate(pictures) if key),
            end=end,
            time_base=source.time_base,
            stream=source.stream.index,
            streams=len(source.container.streams.video),
            size=size,
            subtitles=source.captions(pictures[0][0]),
        )


def _starts(source: Source) -> Iterator[tuple[int, bool]]:
    """When each picture begins, and whether it is a key picture, in decoding order."""
    size = source.stream.width, source.stream.height  # the stream's own follow the latest picture
    for packet in source.packets():
        source.note(packet)
        if packet.is_corrupt or (packet.size and (packet.pts is None or packet.is_discard)):
            raise UnsupportedVideoError("some pictures have no times, are damaged, or are cut away by an edit list")
        if is_held(packet):
            raise UnsupportedVideoError("some of its pictures have no bytes, since they are like those before them")
        if packet.pts is not None:
            yield packet.pts, packet.is_keyframe
        if packet.is_keyframe or is_end(packet):
            for frame in source.stream.codec_context.decode(None if is_end(packet) else packet):
                _check_plain(frame, size, source.stream)


def _check_plain(frame: VideoFrame, size: tuple[int, int], stream: VideoStream) -> None:
    if (frame.width, frame.height) != size:
        raise UnsupportedVideoError("its pictures change their size")
    if frame.format.has_palette:
        raise UnsupportedVideoError("its colors are in a palette, which libraries lose where they seek")
    if display_matrix(frame) or (stream.codec_context.sample_aspect_ratio or stream.sample_aspect_ratio or 1) != 1:
        raise UnsupportedVideoError("its pictures are turned, mirrored, or of pixels that are not square")
    if frame.interlaced_frame or frame.is_corrupt or frame.color_trc in (PQ, HLG):
        raise UnsupportedVideoError("its pictures are interlaced, damaged, or of high dynamic range")


def read_indexed(path: str, spec: PoolSpec, open_video: OpenVideo) -> Iterator[Frame | Ended]:
    """The pool of a plain video; see `Decoder.read`. Raises UnsupportedVideoError for any other, also in the middle."""
    if spec.instants is not None:
        raise UnsupportedVideoError("its beginning alone is wanted, for which all of it would have to be surveyed")
    known = survey(path, spec.height_pixels)
    numbers = _numbers(known, spec)
    keys = _keys(known, numbers)
    try:
        count, fetch = open_video(path, known)
        if count != len(known.starts):
            raise UnsupportedVideoError(f"it has {len(known.starts)} pictures, the library finds {count}")
        position = 0
        for batch in _batches(numbers):
            distinct = sorted(set(batch))
            pictures = dict(zip(distinct, fetch(distinct), strict=True))
            images: dict[int, Rgb] = {number: np.ascontiguousarray(one) for number, one in pictures.items()}
            for number in batch:
                yield Frame(position * TICKS, images[number], keys[position])
                position += 1
    except (RuntimeError, ValueError, OSError) as error:
        raise UnsupportedVideoError(f"it does not decode without faults: {str(error)[:200]}") from None
    end = round((known.end - known.starts[0]) * known.time_base / spec.interval * TICKS)
    yield Ended(end, subtitles=known.subtitles)


def _numbers(known: Survey, spec: PoolSpec) -> list[int]:
    """Which picture is seen at each instant."""
    step, origin = spec.interval / known.time_base, known.starts[0]
    found: list[int] = []
    while len(found) * step < known.end - origin:
        if len(found) >= MAX_POOL_FRAMES:
            raise UnsupportedVideoError("it has more pool frames than the limit")
        found.append(bisect_right(known.starts, origin + len(found) * step) - 1)
    return found


def _keys(known: Survey, numbers: list[int]) -> list[bool]:
    """Of each instant, whether a key picture began since the one before it."""
    begun = [0, *(bisect_right(known.keys, number) for number in numbers)]
    return [before < now for before, now in pairwise(begun)]


def _batches(numbers: list[int]) -> Iterator[list[int]]:
    for start in range(0, len(numbers), _BATCH):
        yield numbers[start : start + _BATCH]

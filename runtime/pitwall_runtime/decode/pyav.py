"""Decodes a video with PyAV in one sequential pass, into pool frames with exact times."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from pitwall_runtime.errors import MediaBrokenError, MediaTooLargeError, NotAVideoError
from pitwall_runtime.media import Frame, PoolSpec, Rgb

CONTAINERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,ogg,asf,gif,h264,hevc,ivf,mxf,nut,y4m"
"""Demuxers that read one file. Playlists and concatenations, which open further addresses, are not among them."""

MAX_PIXELS = 8192 * 4320
MAX_POOL_FRAMES = 50_000
MAX_SECONDS = 12 * 3600
_COMPLETE_SHARE = 0.95
_SKIP_FROM_NATIVE_FRAMES = 8
"""Pool frames at least this many native frames apart: only reference frames are decoded, a third faster."""


@dataclass(frozen=True, slots=True)
class Opening:
    """What is known once the file is open."""

    time_base: Fraction
    declared_seconds: float


@dataclass(frozen=True, slots=True)
class Ending:
    """Where the last frame stops showing, in ticks."""

    end_pts: int


def read(path: str, spec: PoolSpec) -> Iterator[Opening | Frame | Ending]:
    """One Opening, the pool frames in time order, one Ending.

    Raises NotAVideoError, MediaBrokenError or MediaTooLargeError.
    """
    options = {"format_whitelist": CONTAINERS, "protocol_whitelist": "file"}
    try:
        container = av.open(path, options=options)
    except FFmpegError as error:
        raise NotAVideoError(
            f"no video can be read from this file ({error.strerror}); send an MP4, WebM, MKV or MOV file"
        ) from None
    with container:
        stream = _video_stream(container)
        opening = _opening(container, stream)
        yield opening
        yield from _pool(container, stream, opening, spec)


def _video_stream(container: InputContainer) -> VideoStream:
    streams = [stream for stream in container.streams.video if not stream.disposition & stream.disposition.attached_pic]
    if not streams:
        raise NotAVideoError("the file holds no video stream; send a file with moving pictures")
    stream = streams[0]
    if stream.width * stream.height > MAX_PIXELS:
        raise MediaTooLargeError(f"the video is {stream.width}×{stream.height}; the limit is 8192×4320, scale it down")
    stream.thread_type = "AUTO"
    return stream


def _opening(container: InputContainer, stream: VideoStream) -> Opening:
    time_base = stream.time_base or Fraction(1, 1000)
    seconds = float(stream.duration * time_base) if stream.duration else float(container.duration or 0) / 1e6
    if seconds > MAX_SECONDS:
        raise MediaTooLargeError(f"the video lasts {seconds:.0f} s; the limit is {MAX_SECONDS} s, send a part of it")
    return Opening(time_base, seconds)


def _pool(container: InputContainer, stream: VideoStream, opening: Opening, spec: PoolSpec) -> Iterator[Frame | Ending]:
    rate = stream.average_rate or Fraction(25)
    if spec.interval * rate >= _SKIP_FROM_NATIVE_FRAMES:
        stream.codec_context.skip_frame = "NONREF"
    tick = max(1, round(1 / rate / opening.time_base))
    first, last, due, sent = None, -1, Fraction(0), 0
    for frame in _frames(container, stream):
        pts = frame.pts if frame.pts is not None else last + tick
        if first is None:
            first = pts
        if pts <= last and last >= first:
            continue
        last = pts
        elapsed = (pts - first) * opening.time_base
        if elapsed < due:
            continue
        due = (elapsed // spec.interval + 1) * spec.interval
        sent += 1
        if sent > MAX_POOL_FRAMES:
            raise MediaTooLargeError(f"more than {MAX_POOL_FRAMES} pool frames; lower decode.framesPerMinute")
        yield Frame(pts, _pixels(frame, spec.height_pixels))
    if first is None:
        raise NotAVideoError("not one frame could be decoded; the file is damaged or its codec is unknown")
    _refuse_truncated(float((last - first + tick) * opening.time_base), opening.declared_seconds, spec)
    yield Ending(last + tick)


def _frames(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    """Every frame that decodes; damaged packets are passed over, a file that stops early just ends."""
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except FFmpegError:
            return
        if packet is None:
            return
        try:
            yield from packet.decode()
        except FFmpegError:
            continue


def _refuse_truncated(decoded_seconds: float, declared_seconds: float, spec: PoolSpec) -> None:
    missing = declared_seconds - decoded_seconds
    if missing > (1 - _COMPLETE_SHARE) * declared_seconds and missing > 2 * spec.interval:
        raise MediaBrokenError(
            f"the video should last {declared_seconds:.0f} s but only {decoded_seconds:.0f} s can be decoded; "
            "it is truncated or damaged, upload it again"
        )


def _pixels(frame: VideoFrame, height: int) -> Rgb:
    """RGB at the pool height (never enlarged), aspect kept, upright."""
    height = min(height, frame.height)
    width = max(2, round(frame.width * height / frame.height / 2) * 2)
    image: Rgb = np.asarray(frame.reformat(width=width, height=height, format="rgb24").to_ndarray(), dtype=np.uint8)
    turns = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(image, turns)) if turns else image

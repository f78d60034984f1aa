"""Chooses who decodes a film: of some codecs FFmpeg's own decoder shows damaged pictures without a word."""

from collections import OrderedDict
from typing import Final

import av
import numpy as np
from av.error import FFmpegError
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from pitwall_runtime.media import Rgb
from pitwall_runtime.stages.decode.libav.codecs.vpx import LibVpx, loaded

_STRICTER: Final = {"vp9": "libvpx-vp9"}
"""Decoders that complain of pictures whose data end too early."""
_DEEP: Final = ("Profile 2", "Profile 3")
"""VP9's profiles of 10 and 12 bits, as HDR has: libvpx refuses them unless it was built for them, and PyAV's is not."""
_SECOND: Final = {"vp8": "libvpx"}
"""Decoders that say as little, but make something else of such a picture; for where libvpx cannot be asked itself."""
_MOST_WAITING: Final = 16
"""Pictures; more than threads hold back."""


def stricter(stream: VideoStream) -> VideoCodecContext | LibVpx:
    """The film's decoder, or one in its place that complains more, if that can decode such pictures."""
    own = stream.codec_context
    if own.name == "vp8" and not own.is_hwaccel and (library := loaded()):
        return LibVpx(library, own)
    other = None if own.is_hwaccel or own.profile in _DEEP else made(_STRICTER.get(own.name), own.thread_count)
    if other is None:
        return own
    other.color_primaries, other.color_trc = own.color_primaries, own.color_trc
    other.colorspace, other.color_range = own.colorspace, own.color_range
    return other


class Witness:
    """Decodes a film a second time, where what a decoder shows of it is not to be believed alone."""

    def __init__(self, stream: VideoStream, first: VideoCodecContext | LibVpx) -> None:
        own = stream.codec_context
        self._asked = first if isinstance(first, LibVpx) else None
        """The first decoder, where that tells itself."""
        self._decoder = None if self._asked or own.is_hwaccel else made(_SECOND.get(own.name), 1)
        self._seen: OrderedDict[int, VideoFrame | None] = OrderedDict()
        """By time; None for a picture that it refuses."""

    def look_at(self, packet: "Packet[VideoStream]") -> None:
        """To be shown every packet that the first decoder gets."""
        if self._decoder is None or packet.pts is None or not packet.size:
            return
        alone = Packet(bytes(packet))  # without what is beside the picture, such as its transparency
        alone.pts = alone.dts = packet.pts
        try:
            self._seen.update((frame.pts, frame) for frame in self._decoder.decode(alone) if frame.pts is not None)
        except FFmpegError:
            self._seen[packet.pts] = None
        while len(self._seen) > _MOST_WAITING:
            self._seen.popitem(last=False)

    def contradicts(self, frame: VideoFrame) -> bool:
        """Whether both decoders show something else, or this one nothing. To be asked once for each picture."""
        if self._asked:
            return self._asked.ended_early(frame)
        if frame.pts is None or frame.pts not in self._seen:
            return False
        other = self._seen.pop(frame.pts)
        return other is None or not same_planes(frame, other)


def made(name: str | None, threads: int) -> VideoCodecContext | None:
    """The decoder of this name; None if there is none."""
    if name is None or name not in av.codecs_available:
        return None
    context = av.CodecContext.create(name, "r")
    assert isinstance(context, VideoCodecContext)
    context.thread_count = threads
    return context


def same_planes(one: VideoFrame, other: VideoFrame) -> bool:
    """Whether two pictures show the same, whatever they say of transparency."""
    return all(map(np.array_equal, _planes(one), _planes(other)))


def _planes(frame: VideoFrame) -> list[Rgb]:
    """Brightness and both colours."""
    rows = [np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size) for plane in frame.planes[:3]]
    return [one[: plane.height, : plane.width] for one, plane in zip(rows, frame.planes, strict=False)]

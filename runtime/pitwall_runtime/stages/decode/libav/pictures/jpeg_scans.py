"""Tells Motion JPEG pictures whose data end before they do, or go on behind their end: some bits are wrong, and their
decoder shows what it reads.
"""

from collections import OrderedDict
from typing import Final

from av.error import FFmpegError
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from pitwall_runtime.stages.decode.libav.codecs.decoders import made, same_planes

_END: Final = b"\xff\xd9"
_MORE: Final = b"\xaa" * 8
_OTHER: Final = (b"\xaa", b"\x55")
_LAST_BYTES, _LAST_BYTES_UNSEEN = 2, 16
"""Two bytes hold at least nine bits of a picture, for the last one is filled up. Where blocks reach beyond the edge
these may be of what nobody sees: then so many are replaced that some are seen."""
_BLOCKS_PIXELS: Final = 16
_FILLING: Final = b"\xff\0"
_MARK: Final = b"\xff"
_MOST_WAITING: Final = 64


class JpegScans:
    """Decodes pictures again with more data before their end, which must not change them, and with other data in place
    of the last ones, which must."""

    def __init__(self, stream: VideoStream) -> None:
        own = stream.codec_context
        self._decoder = made("mjpeg", 1) if own.name == "mjpeg" and not own.is_hwaccel else None
        self._strict = made("mjpeg", 1) if self._decoder else None
        """Refuses what it cannot read: else it may leave there what the latest picture had, which is the same one."""
        if self._decoder and self._strict:
            self._decoder.extradata = self._strict.extradata = own.extradata
            self._strict.options = {"err_detect": "explode"}
        self._waiting: OrderedDict[int, bytes] = OrderedDict()
        self._first_is_whole: bool | None = None
        self._first_is_read: bool | None = None

    def look_at(self, packet: "Packet[VideoStream]") -> None:
        """To be shown every packet that is decoded."""
        if self._decoder is None or not packet.size or packet.dts is None:
            return
        self._waiting[packet.dts] = bytes(packet)
        while len(self._waiting) > _MOST_WAITING:
            self._waiting.popitem(last=False)

    def contradict(self, frame: VideoFrame) -> bool:
        """Whether this picture lacks data or has some that nobody reads, if the first one did not. To be asked once for
        each picture."""
        content = None if frame.dts is None else self._waiting.pop(frame.dts, None)
        end = content.rfind(_END) if content else -1
        if content is None or end < 0:
            return False
        return self._lacks_data(content, end, frame) or self._has_unread_data(content, end, frame)

    def _lacks_data(self, content: bytes, end: int, frame: VideoFrame) -> bool:
        if self._first_is_whole is False:
            return False
        whole = _shows(self._decoder, content[:end] + _MORE + content[end:], frame)
        self._first_is_whole = whole if self._first_is_whole is None else self._first_is_whole
        return self._first_is_whole and not whole

    def _has_unread_data(self, content: bytes, end: int, frame: VideoFrame) -> bool:
        if self._first_is_read is False:
            return False
        data = content[:end].rstrip(_FILLING)
        fits = frame.width % _BLOCKS_PIXELS == 0 == frame.height % _BLOCKS_PIXELS
        count = _LAST_BYTES if fits else _LAST_BYTES_UNSEEN
        if _MARK in data[-count - 1 :]:  # it means something else with another byte behind it
            return False
        read = not all(_shows(self._strict, data[:-count] + other * count + content[end:], frame) for other in _OTHER)
        self._first_is_read = read if self._first_is_read is None else self._first_is_read
        return self._first_is_read and not read


def _shows(decoder: VideoCodecContext | None, content: bytes, frame: VideoFrame) -> bool:
    assert decoder is not None
    try:
        return any(same_planes(other, frame) for other in decoder.decode(Packet(content)))
    except FFmpegError:
        return False

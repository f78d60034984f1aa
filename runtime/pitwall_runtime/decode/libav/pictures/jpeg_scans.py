"""Tells Motion JPEG pictures whose data end before they do: some bits are wrong, and their decoder reads on."""

from collections import OrderedDict
from typing import Final

from av.error import FFmpegError
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from pitwall_runtime.decode.libav.decoders import made, same_planes

_END: Final = b"\xff\xd9"
_MORE: Final = b"\xaa" * 8
_MOST_WAITING: Final = 64


class JpegScans:
    """Decodes pictures again with more data before their end, which must not change them."""

    def __init__(self, stream: VideoStream) -> None:
        own = stream.codec_context
        self._decoder = made("mjpeg", 1) if own.name == "mjpeg" and not own.is_hwaccel else None
        if self._decoder:
            self._decoder.extradata = own.extradata
        self._waiting: OrderedDict[int, bytes] = OrderedDict()
        self._first_is_whole: bool | None = None

    def look_at(self, packet: "Packet[VideoStream]") -> None:
        """To be shown every packet that is decoded."""
        if self._decoder is None or not packet.size or packet.dts is None:
            return
        self._waiting[packet.dts] = bytes(packet)
        while len(self._waiting) > _MOST_WAITING:
            self._waiting.popitem(last=False)

    def contradict(self, frame: VideoFrame) -> bool:
        """Whether this picture lacks data, if the first one did not. To be asked once for each picture."""
        content = None if frame.dts is None else self._waiting.pop(frame.dts, None)
        if content is None or self._first_is_whole is False:
            return False
        end = content.rfind(_END)
        whole = end < 0 or self._is(content[:end] + _MORE + content[end:], frame)
        self._first_is_whole = whole if self._first_is_whole is None else self._first_is_whole
        return self._first_is_whole and not whole

    def _is(self, content: bytes, frame: VideoFrame) -> bool:
        assert self._decoder is not None
        try:
            return any(same_planes(other, frame) for other in self._decoder.decode(Packet(content)))
        except FFmpegError:
            return False

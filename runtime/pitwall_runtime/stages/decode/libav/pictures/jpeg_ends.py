"""Tells Motion JPEG pictures that are cut off or run into the next one: their decoder shows them without a word."""

from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from pitwall_runtime.stages.decode.libav.files.container import VideoPacket

_BEGIN, _END = b"\xff\xd8", b"\xff\xd9"
_PADDING = b"\0"
_MOST_PADDING = 64


class JpegEnds:
    """Looks at a Motion JPEG stream's packets: each begins and ends with a marker, if the first one does."""

    def __init__(self, stream: VideoStream) -> None:
        self._marked: bool | None = None if stream.codec.name == "mjpeg" else False
        self._torn: set[int] = set()

    def look_at(self, packet: VideoPacket) -> None:
        """Remember the packet if its end is missing."""
        if self._marked is False or not packet.size or packet.dts is None:
            return
        view = memoryview(packet)
        whole = bytes(view[:2]) == _BEGIN and bytes(view[-_MOST_PADDING:]).rstrip(_PADDING).endswith(_END)
        if self._marked is None:
            self._marked = whole
        elif not whole:
            self._torn.add(packet.dts)

    def torn(self, frame: VideoFrame) -> bool:
        """Whether this picture's packet had no end. To be asked once for each picture."""
        if frame.dts not in self._torn:
            return False
        self._torn.remove(frame.dts)
        return True

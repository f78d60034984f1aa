"""Tells whether a file says only when pictures are decoded, though they are shown in another order."""

import re
from itertools import islice
from typing import Final

import av
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

_DEEP: Final = ("h264", "hevc")
"""Codecs whose pictures are in no order that FFmpeg could tell from their kinds."""
_COPIED_TO: Final = ("mov", "matroska")
_LOOKED_AT: Final = 250
_SHOWN_EARLIER: Final = re.compile(rb"\x00\x00\x01\xb6[\x80-\xbf]")
"""An MPEG-4 picture that is decoded behind the one before which it is shown."""


def keeps_decoding_times(stream: VideoStream) -> bool:
    """Whether it is so in this stream's file: in an AVI, of which FFmpeg makes something wrong where B-frames are
    packed; in an ASF of H.264 or HEVC; and where such an AVI's pictures were copied as they are."""
    container, codec = stream.container.format.name, stream.codec_context
    if container == "asf":
        return bool(codec.has_b_frames) and codec.name in _DEEP
    if container.startswith(_COPIED_TO) and codec.name == "mpeg4" and codec.has_b_frames:
        return _is_copied(stream)
    return container == "avi"


def _is_copied(stream: VideoStream) -> bool:
    """Whether each of the first packets is shown behind the one before, though one of them holds a picture that is
    not."""
    with av.open(stream.container.name, options={"protocol_whitelist": "file"}, metadata_errors="replace") as again:
        packets = islice((one for one in again.demux(again.streams[stream.index]) if one.size), _LOOKED_AT)
        found, latest = False, None
        for packet in packets:
            if packet.pts is None or (latest is not None and packet.pts <= latest):
                return False
            found, latest = found or _holds_earlier(packet), packet.pts
        return found


def _holds_earlier(packet: "Packet[Stream]") -> bool:
    return _SHOWN_EARLIER.search(bytes(packet)) is not None

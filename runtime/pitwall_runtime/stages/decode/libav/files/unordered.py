"""Tells whether a file says only when pictures are decoded, though they are shown in another order."""

from contextlib import suppress
from itertools import islice, pairwise
from typing import Final

import av
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from pitwall_runtime.stages.decode.libav.losses.tables import tells_order

_CODECS: Final = ("mpeg4", "h264", "hevc")
"""Whose pictures people copy, from an AVI or from raw streams, to containers that would say more."""
_LOOKED_AT: Final = 24
"""Pictures; more than a decoder holds back."""
_PACKED: Final = "mpeg4"
_FAULTS: Final = 2
"""Pictures whose time may be damaged. DivX packs B-frames behind others: of such packets tools make up times (genpts)
that fit neither order, and no two of them are alike."""
_OPENED: Final = {"protocol_whitelist": "file", "probesize": "65536", "analyzeduration": "0"}


def keeps_decoding_times(stream: VideoStream) -> bool:
    """Whether it is so in this stream's file: in an AVI, of which FFmpeg makes something wrong where B-frames are
    packed; in an ASF of H.264 or HEVC, whose order FFmpeg cannot tell; and where such pictures were copied as they
    are, or raw ones."""
    container, codec = stream.container.format.name, stream.codec_context
    if container == "avi" or not codec.has_b_frames or codec.name not in _CODECS:
        return container == "avi"
    if container == "asf":
        return codec.name != "mpeg4"
    is_whole = container.startswith("mov") and stream.frames > 0
    path, may_be_packed = stream.container.name, codec.name == _PACKED
    untold = is_whole and (may_be_packed or not tells_order(path, stream.id, _LOOKED_AT))
    return (untold or container.startswith("matroska")) and _comes_out_otherwise(stream)


def _comes_out_otherwise(stream: VideoStream) -> bool:
    """Whether each of the first packets is shown behind the one before, but their pictures come out of the decoder in
    another order; where they may be packed, whether several do, whatever the packets say."""
    may_be_packed = stream.codec_context.name == _PACKED
    with av.open(stream.container.name, options=_OPENED, metadata_errors="replace") as again:
        packets, latest = [], None
        for packet in islice((one for one in again.demux(again.streams[stream.index]) if one.size), _LOOKED_AT):
            in_order = packet.pts is not None and (latest is None or packet.pts > latest)
            if not in_order and not may_be_packed:
                return False
            packets.append(packet)
            latest = packet.pts
        shown = [at for packet in packets for at in _decoded(packet)]
        back = sum(later < one for one, later in pairwise(shown))
        return back > (_FAULTS if may_be_packed else 0)


def _decoded(packet: "Packet[Stream]") -> list[int]:
    """When the pictures are shown that come out of the decoder for a packet, as far as that tells."""
    with suppress(FFmpegError):
        return [one.pts for one in packet.decode() if isinstance(one, VideoFrame) and one.pts is not None]
    return []

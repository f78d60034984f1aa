"""Reads how an MP4's fragments are written behind a further index, which FFmpeg passes over: it decodes all of them by
the first one's description, and counts all in its ticks.

So it is where a recorder began anew, or where recordings of fragments were joined byte by byte.
"""

from fractions import Fraction
from typing import TYPE_CHECKING, Final, cast

from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

from pitwall_runtime.stages.decode.libav.losses.tables import Description, descriptions_of

if TYPE_CHECKING:
    VideoPacket = Packet[VideoStream]
else:
    VideoPacket = Packet  # generic for type checkers only

_BOXES: Final = {"h264": b"avcC", "hevc": b"hvcC"}
_LENGTH_BYTES_AT: Final = 4
_AVC_SETS_AT, _HEVC_SETS_AT = 5, 22
"""In H.264's and HEVC's description: where the units begin that a decoder must know."""
_MANY: Final = 31


class Descriptions:
    """Those of one film behind its first one."""

    def __init__(self, stream: VideoStream) -> None:
        self._film, self._codec = stream.index, stream.codec_context.name
        self._length_bytes = self._length_bytes_of(stream.codec_context.extradata or b"")
        box = _BOXES.get(self._codec, b"")
        found = descriptions_of(stream.container.name, stream.id, box) if self._applies(stream) else []
        self._scale, self._later = (found[0].scale if found else 1), found[1:]
        self._begun: Description | None = None
        self._untold = b""
        """What the decoder must know before its next picture."""

    def set_right(self, packet: "Packet[Stream]") -> None:
        """Moves the times of a packet of the film, in place, onto the first description's clock. To be shown all, in
        the file's order."""
        if packet.stream.index != self._film:
            return
        while self._later and packet.pos is not None and packet.pos > self._later[0].place:
            self._begun = self._later.pop(0)
            self._untold = self._units(self._begun.content)
        if self._begun is None or not self._begun.scale or self._begun.scale == self._scale:
            return
        factor = Fraction(self._scale, self._begun.scale)
        packet.pts = None if packet.pts is None else round(packet.pts * factor)
        packet.dts = None if packet.dts is None else round(packet.dts * factor)
        packet.duration = round((packet.duration or 0) * factor)

    def complete(self, packet: VideoPacket) -> VideoPacket:
        """The packet, with what its decoder must know of it before it; such a copy does not tell its place."""
        if not self._untold or not packet.size:
            return packet
        whole = cast("VideoPacket", Packet(self._untold + bytes(packet)))
        whole.stream, whole.time_base = packet.stream, packet.time_base
        whole.pts, whole.dts, whole.duration = packet.pts, packet.dts, packet.duration
        whole.is_keyframe, whole.is_corrupt = packet.is_keyframe, packet.is_corrupt
        self._untold = b""
        return whole

    def _applies(self, stream: VideoStream) -> bool:
        is_fragmented = stream.container.format.name.startswith("mov") and not stream.frames
        return is_fragmented and self._codec in _BOXES

    def _length_bytes_of(self, content: bytes) -> int:
        at = _LENGTH_BYTES_AT if self._codec == "h264" else _HEVC_SETS_AT - 1
        return (content[at] & 3) + 1 if len(content) > at else 0

    def _units(self, content: bytes) -> bytes:
        """The units of a description, each behind its length as in this film's packets."""
        if self._length_bytes_of(content) != self._length_bytes:
            return b""
        units = _avc_units(content) if self._codec == "h264" else _hevc_units(content)
        return b"".join(len(unit).to_bytes(self._length_bytes) + unit for unit in units)


def _avc_units(content: bytes) -> list[bytes]:
    units, at = [], _AVC_SETS_AT
    for _ in range(2):  # those of sequences, then those of pictures
        count, at = (content[at] & _MANY if at < len(content) else 0), at + 1
        read, at = _units_at(content, at, count)
        units += read
    return units


def _hevc_units(content: bytes) -> list[bytes]:
    units, at = [], _HEVC_SETS_AT + 1
    for _ in range(content[_HEVC_SETS_AT] if len(content) > _HEVC_SETS_AT else 0):
        read, at = _units_at(content, at + 3, int.from_bytes(content[at + 1 : at + 3]))
        units += read
    return units


def _units_at(content: bytes, at: int, count: int) -> tuple[list[bytes], int]:
    """So many units that each have two bytes of length, and where they end."""
    units: list[bytes] = []
    for _ in range(count):
        end = at + 2 + int.from_bytes(content[at : at + 2])
        units.append(content[at + 2 : end])
        at = end
    return [unit for unit in units if unit], at

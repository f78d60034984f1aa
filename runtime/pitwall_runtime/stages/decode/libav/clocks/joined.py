"""Lets a film go on where recordings of one container were joined byte by byte, each with a clock of its own."""

import os
from collections.abc import Iterable, Iterator
from typing import Final

from pitwall_runtime.stages.decode.libav.clocks.appended import IVF_MARK, appended_seconds
from pitwall_runtime.stages.decode.libav.files.container import FLV, Source, VideoPacket
from pitwall_runtime.stages.decode.libav.losses import flv

_HEADS: Final = {"matroska,webm": b"\x1aE\xdf\xa3", "flv": b"onMetaData", "live_flv": b"onMetaData"}
"""What stands where a recording begins, and nowhere else between two pictures. An FLV that a recorder appends to
another has no signature; behind one FFmpeg passes over some MiB."""
_IVF: Final = "ivf"
_THEORA, _THEORA_SETTINGS = b"theora", (b"\x80", b"\x82")
"""What stands in each of its heads behind the first byte, and the first bytes of those that say how it is decoded."""
_MOST_BYTES: Final = 16 << 20
"""Between the last picture of one recording and the first of the next: an index, tags, attached files."""
_AHEAD_SECONDS: Final = 10
"""A leap of the clock beyond which it is looked whether another recording begins."""


class JoinedRecordings:
    """Follows the film's packets in the file's order. Transport streams and the like have `FilmClock` instead."""

    def __init__(self, source: Source) -> None:
        self._source, self._path = source, source.container.name
        self._head = _HEADS.get(source.container.format.name)
        self._is_theora = source.restarts and source.stream.codec_context.name == "theora"
        self._is_flv = source.container.format.name in FLV
        self._configuration = source.stream.codec_context.extradata or b""
        self._ahead = round(_AHEAD_SECONDS / source.time_base)
        self._offset = 0
        self._place: int | None = None
        self._latest: int | None = None
        """The container's time of the latest picture in the file; an FLV's is when it is decoded."""
        self._appended_at = 0
        """From where on it is looked for recordings that FFmpeg does not read at all."""
        self.unreadable = False
        """Since a recording began whose pictures are written otherwise than the first one's: FFmpeg's demuxer of
        Matroska reads no second description."""

    def without_heads(self, packets: Iterable[VideoPacket]) -> Iterator[VideoPacket]:
        """The packets, without the heads of further Theora recordings in an Ogg, which FFmpeg takes for pictures. Its
        decoder knows the first one's alone."""
        for packet in packets:
            head = bytes(packet) if self._is_theora and packet.size else b""
            if not head[1:].startswith(_THEORA):
                yield packet
            elif head[:1] in _THEORA_SETTINGS and head not in self._configuration:
                self.unreadable = True

    def set_right(self, packet: VideoPacket) -> None:
        """Moves the packet's times, in place, behind the recordings before it."""
        if self._begins_an_ivf(packet):  # whose head FFmpeg takes for a picture of a gigabyte
            packet.pts = packet.dts = None
            self._appended_at, self.unreadable = packet.pos or 0, True
        if self._head is None or packet.pts is None or packet.pos is None:
            return
        told = packet.dts if self._is_flv and packet.dts is not None else packet.pts
        if (packet.is_keyframe or self._is_flv) and self._leaps(told):
            self._look_for_head(packet, self._between(packet.pos))
        self._latest, self._place = told, packet.pos
        packet.pts += self._offset
        packet.dts = None if packet.dts is None else packet.dts + self._offset

    def unread_ticks(self) -> int:
        """How long those recordings last together of which FFmpeg has read nothing."""
        demuxer = self._source.container.format.name
        if demuxer == _IVF and not self._appended_at:
            return 0
        fragmented = self._source.indexed and not self._source.stream.frames
        return int(
            appended_seconds(self._path, demuxer, self._appended_at, fragmented=fragmented) / self._source.time_base
        )

    def _begins_an_ivf(self, packet: VideoPacket) -> bool:
        if self._source.container.format.name != _IVF or not packet.is_corrupt or packet.pos is None:
            return False
        with open(self._path, "rb") as file:
            return os.pread(file.fileno(), len(IVF_MARK), packet.pos) == IVF_MARK

    def _goes_back(self, packet: VideoPacket) -> bool:
        return self._latest is not None and packet.dts is not None and packet.dts < self._latest

    def _leaps(self, told: int) -> bool:
        return self._latest is not None and not self._latest - self._source.tick < told < self._latest + self._ahead

    def _between(self, place: int) -> bytes:
        """What stands in the file between the latest picture and this place."""
        if self._place is None or not 0 < place - self._place < _MOST_BYTES:
            return b""
        with open(self._path, "rb") as file:
            return os.pread(file.fileno(), place - self._place, self._place)

    def _look_for_head(self, packet: VideoPacket, between: bytes) -> None:
        assert packet.pts is not None
        if self._head is None or self._head not in between:
            return
        begin = packet.pts
        if self._is_flv and flv.SIGNATURE in between:
            begin, packet.is_corrupt = flv.first_time(between), True
        elif self._is_flv and not self._goes_back(packet):
            return  # a server says again what it sends, behind a pause
        self._offset = self._source.pictures_end - begin
        self.unreadable = not self._is_flv and self._configuration not in between

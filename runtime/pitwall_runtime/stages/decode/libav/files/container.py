"""An open video file: the packets of its film, and where the file says that it ends."""

from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Final, cast

from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

from pitwall_runtime.errors import NotAVideoError
from pitwall_runtime.media import Caption
from pitwall_runtime.stages.decode.libav.codecs.decoders import stricter
from pitwall_runtime.stages.decode.libav.files.captions import CaptionTrack
from pitwall_runtime.stages.decode.libav.files.descriptions import Descriptions
from pitwall_runtime.stages.decode.libav.files.diagnosis import ENCRYPTED
from pitwall_runtime.stages.decode.libav.files.emptiness import is_end
from pitwall_runtime.stages.decode.libav.files.unordered import keeps_decoding_times
from pitwall_runtime.stages.decode.libav.losses import flv, headers
from pitwall_runtime.stages.decode.libav.losses.avi_index import UNTOLD
from pitwall_runtime.stages.decode.libav.losses.broadcasts.grid import Grid
from pitwall_runtime.stages.decode.libav.losses.broadcasts.held import HeldPictures
from pitwall_runtime.stages.decode.libav.losses.broadcasts.programs import CodecChange, codec_change, is_scrambled
from pitwall_runtime.stages.decode.libav.losses.edit_units import EditUnits
from pitwall_runtime.stages.decode.libav.losses.elements import Elements
from pitwall_runtime.stages.decode.libav.losses.holes import Holes
from pitwall_runtime.stages.decode.libav.losses.tables import declared_end, last_held_until

if TYPE_CHECKING:
    VideoPacket = Packet[VideoStream]
else:
    VideoPacket = Packet  # generic for type checkers only

_DAMAGED_READS: Final = 64
"""Unreadable places after which the rest of the file is given up."""

_DECLARED_WITHIN: Final = 1
"""Seconds by which writers miss a length that is one for all streams."""
_ROUNDED_WITHIN: Final = 2
"""Ticks by which the end of a picture is rounded: its time and its duration are."""
_LEFT_BYTES: Final = 1 << 16
"""Behind the last picture, of sound and tables."""

FLV: Final = ("flv", "live_flv")
RESTARTING: Final = ("mpegts", "mpeg", "ogg", "m4v")
_ALL_STREAMS = ("matroska", "avi", "flv", "asf")
"""Containers that declare one length for all their streams: it is the longest stream that must reach it."""


class Source:
    """An open video: its packets, and what the container says about the film's clock."""

    def __init__(self, container: InputContainer, stream: VideoStream, layout: Elements | Grid | None = None) -> None:
        self.container, self.stream, self._layout = container, stream, layout
        self.decoder = stricter(stream)
        self.time_base = stream.time_base or Fraction(1, 90_000)
        rate = stream.average_rate or stream.codec_context.framerate or Fraction(25)
        self.tick = max(1, round(1 / rate / self.time_base))
        self._lost = self._torn_end = self._is_closed = self._goes_on = False
        self.torn_places: deque[int | None] = deque(maxlen=4)
        """Of the latest packets before which the file itself, and not FFmpeg alone, shows that something is lost."""
        name = container.format.name
        self.indexed, self._declares_for_all = name.startswith("mov"), name.startswith(_ALL_STREAMS)
        self.restarts = name in RESTARTING
        """Whether the container's clock may begin anew in the middle, as in joined broadcast recordings."""
        self.counts, self.keeps_display_times = name == "avi", not keeps_decoding_times(stream)
        """Whether the container's clock is a count of pictures, and whether it says when they are shown."""
        self._pictures, self._last, self._last_end = 0, -(1 << 62), -(1 << 62)
        self.latest_length = self.tick
        """What the picture says that was decoded last."""
        self._reached: Fraction | None = None
        self._first_decoded = Fraction(0)
        self._reached_place = 0
        self._reads_all = self._declares_for_all or self.restarts
        fragmented = self.indexed and not stream.frames
        self.holes = Holes(container.name, name, self.tick, in_order=self.restarts, fragmented=fragmented)
        self.held, self._edit_units = HeldPictures(container.name, name), EditUnits(name, self.tick)
        self._has_holes = self._reads_all or fragmented
        """Whether its demuxer passes over what is lost without a word."""
        self._track, self._descriptions = CaptionTrack.of(container), Descriptions(stream)

    def packets(self) -> Iterator[VideoPacket]:
        """The film's packets, and at last the empty one that flushes the decoder. The first one after an unreadable
        place is marked as corrupt."""
        wanted = [] if self._reads_all else [self.stream, *([self._track.stream] if self._track else ())]
        for _ in range(_DAMAGED_READS):
            try:
                for packet in self.container.demux(*wanted):
                    self._descriptions.set_right(packet)
                    self._reach(packet)
                    self.holes.follow(packet)
                    self.held.follow(packet)
                    if self._track:
                        self._track.take(packet)
                    if packet.stream.index == self.stream.index and not self.holes.is_left_over(packet):
                        _refuse_encrypted(packet)
                        if self._is_lost_before(cast("VideoPacket", packet)):
                            packet.is_corrupt, self._lost = True, False
                            self.torn_places.append(packet.pos)
                        yield cast("VideoPacket", packet)
            except (FFmpegError, IndexError):  # the latter where damage makes up a stream that was not there before
                self._lost = True
            else:
                self._torn_end = self._layout is not None and not self._layout.lead_to_end()
                self._is_closed = isinstance(self._layout, Elements) and self._layout.is_closed and not self._torn_end
                self._goes_on = isinstance(self._layout, Elements) and self._layout.goes_on
                return

    def _is_lost_before(self, packet: VideoPacket) -> bool:
        """Whether something of the file is lost before this packet of the film."""
        passed_over = (
            self._has_holes and self.holes.before(cast("Packet[Stream]", packet))
        ) or self._edit_units.lost_before(packet)
        torn = self._layout is not None and packet.pos is not None and not self._layout.lead_to(packet.pos)
        return passed_over or torn or self._lost

    def _reach(self, packet: "Packet[Stream]") -> None:
        """Remember how far packets reach in time, whichever stream they are of."""
        if packet.pts is not None and packet.time_base:
            end = (packet.pts + (packet.duration or 0)) * packet.time_base
            if self._reached is None and packet.dts is not None:
                self._first_decoded = packet.dts * packet.time_base
            self._reached = end if self._reached is None else max(self._reached, end)

    def note(self, packet: VideoPacket) -> VideoPacket:
        """Remember where the film's pictures end. The packet's times are on the film's clock; comes back as its decoder
        needs it."""
        self._pictures += not is_end(packet)
        self.latest_length = packet.duration or self.latest_length
        self._reached_place = packet.pos or self._reached_place
        if packet.pts is not None and not packet.is_discard and self.keeps_display_times:
            self._last = max(self._last, packet.pts)
            self._last_end = max(self._last_end, packet.pts + self.duration_of(packet.duration))
        return self._descriptions.complete(packet)

    def shown_at(self, packet: VideoPacket) -> int | None:
        """When the packet's picture is shown, as far as the container knows."""
        return packet.pts if self.keeps_display_times else packet.dts

    def duration_of(self, said: int | None) -> int:
        """How long a picture is shown, from what its packet says. An MP4 with B-frames says it of another picture: it
        keeps the distance to the next one in decoding order."""
        return self.tick if self._lengths_are_misplaced or not said else said

    @property
    def _lengths_are_misplaced(self) -> bool:
        return self.indexed and bool(self.stream.codec_context.has_b_frames)

    def ends(self) -> tuple[int, int | None]:
        """Where the pictures in the file end, and where the file says that the film ends (None if it does not say)."""
        if self._is_all_read():
            end = self._indexed_end()
            return (end if end and end > self._last else self._last_end), None
        declared = self._declared_end()
        if declared and self._is_whole_flv() and declared > self._last:
            return declared, None
        unread = (
            flv.unread_seconds(self.container.name, self._reached_place) if self.container.format.name in FLV else 0
        )
        return self._last_end, self._last_end + int(unread / self.time_base) if unread else declared

    def _is_all_read(self) -> bool:
        """Whether all pictures were read that an MP4's tables have, and its edit list shows."""
        return self.indexed and self.stream.frames > 0 and 0 < len(self.stream.index_entries) <= self._pictures

    def _indexed_end(self) -> int | None:
        """When the last one of them stops being shown, as far as the tables tell."""
        if self._lengths_are_misplaced:
            return last_held_until(self.stream)
        declared = declared_end(self.stream)
        return declared and min(declared, self._last_end)

    @property
    def pictures_end(self) -> int:
        """Where the pictures end that were read so far."""
        return self._last_end

    def _is_whole_flv(self) -> bool:
        """Whether the file has as many bytes as it says, so that its declared length tells how long its last picture is
        held: an FLV's pictures say no durations."""
        return self.container.format.name in FLV and flv.told_bytes(self.container.name) == self.container.size

    @property
    def ends_torn(self) -> bool:
        """Whether the file breaks off in the middle of something, earlier than it says, or something is not read."""
        return self._goes_on or (self._torn_end and self._declared_end() is not None)

    def codec_change(self, *, doubtful: bool) -> CodecChange | None:
        """How the film goes on in another codec, which is not decoded; asked where the pictures' end is `doubtful`, or
        the file goes on behind it."""
        goes_on = self._reached_place <= self.container.size - _LEFT_BYTES
        if self.container.format.name != "mpegts" or not (doubtful or goes_on):
            return None
        return codec_change(self.container.name, self.stream.id, self._reached_place)

    def breaks_off_in(self, packet: VideoPacket) -> bool:
        """Whether the file ends in this picture, so that what is lost of it is no end of the one before."""
        leads = self.indexed or not self.keeps_display_times
        return leads and packet.pos is not None and packet.pos + packet.size >= self.container.size

    @property
    def scrambled_rest(self) -> float:
        """Which share of the file lies behind its last picture and is encrypted, as pay TV is: FFmpeg passes over it
        without a word."""
        left = 1 - self._reached_place / (self.container.size or 1)
        looked_at = self.container.format.name == "mpegts" and left * self.container.size > _LEFT_BYTES
        return left if looked_at and is_scrambled(self.container.name, self.stream.id, self._reached_place) else 0.0

    def captions(self, origin: int) -> tuple[Caption, ...]:
        """The subtitles that have passed by, in seconds from a tick of the film's clock."""
        return self._track.captions(origin * self.time_base) if self._track else ()

    def _declared_end(self) -> int | None:
        if self.indexed:
            return declared_end(self.stream)
        if headers.say_length(self.container, self.stream):
            return self.stream.duration and (self.stream.start_time or 0) + self.stream.duration
        says = self._declares_for_all and self.stream.frames < UNTOLD
        if not says or not self.container.duration or self._reached is None or self._is_closed:
            return None
        declared = headers.end_of_all(self.container, self.container.duration, self._first_decoded)
        # Whatever reaches furthest shows whether the file is whole; if it is, the film ends where its pictures end.
        rounded = min(_ROUNDED_WITHIN, self.tick - 1) * self.time_base
        within = rounded if self._torn_end else _DECLARED_WITHIN
        return int(declared / self.time_base) if declared - self._reached > within else None


def _refuse_encrypted(packet: "Packet[Stream]") -> None:
    if packet.size and packet.has_sidedata("encryption_info"):
        raise NotAVideoError(ENCRYPTED)

"""Opens a video file: which containers are read, which stream is the film, and where the file says that it ends."""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

import av
from av.codec.hwaccel import HWAccel
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

from pitwall_runtime.errors import MediaTooLargeError, NotAVideoError
from pitwall_runtime.media import Caption
from pitwall_runtime.stages.decode.libav.codecs.decoders import stricter
from pitwall_runtime.stages.decode.libav.files.captions import CaptionTrack
from pitwall_runtime.stages.decode.libav.files.diagnosis import ENCRYPTED, begins_with, why_unreadable
from pitwall_runtime.stages.decode.libav.files.emptiness import is_end
from pitwall_runtime.stages.decode.libav.files.streams import film_of
from pitwall_runtime.stages.decode.libav.losses import flv, headers
from pitwall_runtime.stages.decode.libav.losses.avi_index import UNTOLD
from pitwall_runtime.stages.decode.libav.losses.broadcasts.grid import Grid
from pitwall_runtime.stages.decode.libav.losses.broadcasts.held import HeldPictures
from pitwall_runtime.stages.decode.libav.losses.broadcasts.programs import CodecChange, codec_change, is_scrambled
from pitwall_runtime.stages.decode.libav.losses.edit_units import EditUnits
from pitwall_runtime.stages.decode.libav.losses.elements import Elements
from pitwall_runtime.stages.decode.libav.losses.holes import Holes
from pitwall_runtime.stages.decode.libav.losses.tables import declared_from
from pitwall_runtime.stages.decode.port import MAX_PIXELS, MAX_SECONDS, THREADS

if TYPE_CHECKING:
    VideoPacket = Packet[VideoStream]
else:
    VideoPacket = Packet  # generic for type checkers only

CONTAINERS: Final = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,m4v,flv,live_flv,ogg,asf,gif,apng,"
    "h264,hevc,vvc,av1,obu,ivf,mxf,nut,yuv4mpegpipe,dv,vc1,vc1test,rm,wtv,"
    "mjpeg,mpjpeg,smjpeg,dhav,dnxhd,gxf,h261,h263,roq,swf"
)
"""Demuxers that read one file. Playlists and concatenations, which open further addresses, are not among them."""

_DAMAGED_READS: Final = 64
"""Unreadable places after which the rest of the file is given up."""

_DECLARED_WITHIN: Final = 1
"""Seconds by which writers miss a length that is one for all streams."""
_ROUNDED_WITHIN: Final = 2
"""Ticks by which the end of a picture is rounded: its time and its duration are."""
_LEFT_BYTES: Final = 1 << 16
"""Behind the last picture, of sound and tables."""

FLV: Final = ("flv", "live_flv")
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
        self.restarts = name in ("mpegts", "mpeg", "ogg")
        """Whether the container's clock may begin anew in the middle, as in joined broadcast recordings."""
        self.keeps_display_times = name != "avi"
        """AVI knows only when pictures are decoded; what FFmpeg makes of it is wrong where B-frames are packed."""
        self._pictures, self._last, self._last_end = 0, -(1 << 62), -(1 << 62)
        self._reached: Fraction | None = None
        self._first_decoded = Fraction(0)
        self._reached_place = 0
        self._reads_all = self._declares_for_all or self.restarts
        fragmented = self.indexed and not stream.frames
        self.holes = Holes(container.name, name, self.tick, in_order=self.restarts, fragmented=fragmented)
        self.held, self._edit_units = HeldPictures(container.name, name), EditUnits(name, self.tick)
        self._has_holes = self._reads_all or fragmented
        """Whether its demuxer passes over what is lost without a word."""
        self._track = CaptionTrack.of(container)

    def packets(self) -> Iterator[VideoPacket]:
        """The film's packets, and at last the empty one that flushes the decoder. The first one after an unreadable
        place is marked as corrupt."""
        wanted = [] if self._reads_all else [self.stream, *([self._track.stream] if self._track else ())]
        for _ in range(_DAMAGED_READS):
            try:
                for packet in self.container.demux(*wanted):
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

    def note(self, packet: VideoPacket) -> None:
        """Remember where the film's pictures end. The packet's times are on the film's clock."""
        self._pictures += not is_end(packet)
        self._reached_place = packet.pos or self._reached_place
        if packet.pts is not None and not packet.is_discard and self.keeps_display_times:
            self._last = max(self._last, packet.pts)
            self._last_end = max(self._last_end, packet.pts + self.duration_of(packet.duration))

    def shown_at(self, packet: VideoPacket) -> int | None:
        """When the packet's picture is shown, as far as the container knows."""
        return packet.pts if self.keeps_display_times else packet.dts

    def duration_of(self, said: int | None) -> int:
        """How long a picture is shown, from what its packet says. An MP4 with B-frames says it of another picture: it
        keeps the distance to the next one in decoding order."""
        misplaced = self.indexed and self.stream.codec_context.has_b_frames
        return self.tick if misplaced or not said else said

    def ends(self) -> tuple[int, int | None]:
        """Where the pictures in the file end, and where the file says that the film ends (None if it does not say)."""
        declared = self._declared_end()
        in_index = self.indexed and self._pictures >= self.stream.frames > 0
        if declared and (in_index or self._is_whole_flv()) and declared > self._last:
            return declared, None
        unread = (
            flv.unread_seconds(self.container.name, self._reached_place) if self.container.format.name in FLV else 0
        )
        return self._last_end, self._last_end + int(unread / self.time_base) if unread else declared

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
        if self.indexed or headers.say_length(self.container, self.stream):
            begin = declared_from(self.stream) if self.indexed else self.stream.start_time or 0
            return self.stream.duration and begin + self.stream.duration
        says = self._declares_for_all and self.stream.frames < UNTOLD
        if not says or not self.container.duration or self._reached is None or self._is_closed:
            return None
        declared = headers.end_of_all(self.container, self.container.duration, self._first_decoded)
        # Whatever reaches furthest shows whether the file is whole; if it is, the film ends where its pictures end.
        rounded = min(_ROUNDED_WITHIN, self.tick - 1) * self.time_base
        within = rounded if self._torn_end else _DECLARED_WITHIN
        return int(declared / self.time_base) if declared - self._reached > within else None


_SILENT: Final = ("hevc", "mjpeg")
"""Decoders that show pictures which they could not read to their end without a word, unless told to complain."""
_COMPLAINING: Final = {"err_detect": "explode"}
_HABIT_PICTURES: Final = 16
_LEAST_JPEGS: Final = 4
"""A photo may hold some more: a preview, its depth, its lights."""
_LAYOUTS: Final[dict[str, type[Elements | Grid]]] = {"matroska,webm": Elements, "mpegts": Grid}
_OPTIONS: Final = {
    "format_whitelist": CONTAINERS,
    "protocol_whitelist": "file",
    "merge_pmt_versions": "1",  # a broadcast goes on where its table names other packets than before
    "default_fps": "10",  # of an APNG's pictures that claim to be shown for no time: browsers' rule, as for a GIF's
}

_FEWER_EDITS: Final = {"advanced_editlist": "0"}
"""Only where the pictures begin is taken of the edit list."""


def _open(path: str, accelerator: HWAccel | None = None) -> InputContainer:
    """Raises NotAVideoError for a photo: FFmpeg takes it for raw Motion JPEG, or that for a photo."""
    demuxer = "mjpeg" if begins_with(path, b"\xff\xd8\xff") else None
    if demuxer and not _is_moving(path, demuxer):
        raise NotAVideoError(why_unreadable(Path(path)))
    container = av.open(path, format=demuxer, options=_OPTIONS, hwaccel=accelerator, metadata_errors="replace")
    if not _is_edited_away(container):
        return container
    container.close()
    return av.open(path, options=_OPTIONS | _FEWER_EDITS, hwaccel=accelerator, metadata_errors="replace")


def _is_edited_away(container: InputContainer) -> bool:
    """Whether an MP4's edit list says that its pictures are shown for no time, as some writers leave it open."""
    return container.format.name.startswith("mov") and any(
        stream.frames > 1 and stream.duration == 0 for stream in container.streams.video
    )


def _is_moving(path: str, demuxer: str) -> bool:
    with av.open(path, format=demuxer, options=_OPTIONS) as container:
        packets = (packet for packet in container.demux(video=0) if packet.size)
        return sum(1 for _ in islice(packets, _LEAST_JPEGS)) == _LEAST_JPEGS


def _strictness(path: str, stream: VideoStream) -> dict[str, str]:
    """How the film's decoder is told to complain of damage. Of what it complains in every one of the first pictures is
    the camera's way of writing them, which every player shows."""
    if stream.codec_context.name not in _SILENT:
        return {}
    with _open(path) as container:
        again = container.streams[stream.index]
        again.codec_context.options = {"max_pixels": str(MAX_PIXELS), **_COMPLAINING}
        complaints = 0
        with suppress(FFmpegError):
            for packet in islice((packet for packet in container.demux(again) if packet.size), _HABIT_PICTURES):
                try:
                    packet.decode()
                except FFmpegError:
                    complaints += 1
                else:
                    break
    return {} if complaints == _HABIT_PICTURES else _COMPLAINING


@contextmanager
def opened(path: str, accelerator: HWAccel | None = None, threads: int = THREADS) -> Iterator[Source]:
    """The film in the file at `path`. Raises NotAVideoError or MediaTooLargeError, and NotImplementedError if the
    accelerator cannot decode it."""
    try:
        container = _open(path, accelerator)
    except (FFmpegError, OSError):
        raise NotAVideoError(why_unreadable(Path(path))) from None
    with container:
        stream = film_of(container)
        if stream.duration and stream.time_base and stream.duration * stream.time_base > MAX_SECONDS:
            seconds = float(stream.duration * stream.time_base)
            raise MediaTooLargeError(
                f"the video lasts {seconds:.0f} s; the limit is {MAX_SECONDS} s, send a part of it"
            )
        stream.thread_type, stream.thread_count = "AUTO", threads
        stream.codec_context.options = {"max_pixels": str(MAX_PIXELS), **_strictness(path, stream)}
        with open(path, "rb") as file:
            layout = _LAYOUTS.get(container.format.name)
            yield Source(container, stream, layout(file) if layout else None)


def _refuse_encrypted(packet: "Packet[Stream]") -> None:
    if packet.size and packet.has_sidedata("encryption_info"):
        raise NotAVideoError(ENCRYPTED)

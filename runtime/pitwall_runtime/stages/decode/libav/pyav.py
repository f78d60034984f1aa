"""The PyAV decoder: one sequential pass over the file, in which only pictures that matter are decoded in full."""

from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from typing import Final

import numpy as np
from av.error import FFmpegError
from av.video.frame import VideoFrame

from pitwall_runtime.errors import MediaBrokenError, NotAVideoError
from pitwall_runtime.media import Frame, PoolSpec
from pitwall_runtime.stages.decode.instants import FOREVER, Instants, Shown
from pitwall_runtime.stages.decode.libav.clocks.clock import FilmClock
from pitwall_runtime.stages.decode.libav.clocks.counted import CountedClock
from pitwall_runtime.stages.decode.libav.clocks.decoded_order import DecodedOrder
from pitwall_runtime.stages.decode.libav.clocks.joined import JoinedRecordings
from pitwall_runtime.stages.decode.libav.clocks.joints import Joints
from pitwall_runtime.stages.decode.libav.clocks.last_picture import end_of_last
from pitwall_runtime.stages.decode.libav.clocks.leaps import Leaps
from pitwall_runtime.stages.decode.libav.clocks.overlaps import shown
from pitwall_runtime.stages.decode.libav.codecs.decoders import Witness
from pitwall_runtime.stages.decode.libav.codecs.nals import Nals
from pitwall_runtime.stages.decode.libav.doubts import Doubts
from pitwall_runtime.stages.decode.libav.files.container import Source, VideoPacket
from pitwall_runtime.stages.decode.libav.files.diagnosis import ENCRYPTED
from pitwall_runtime.stages.decode.libav.files.emptiness import is_end, is_held
from pitwall_runtime.stages.decode.libav.files.opening import opened
from pitwall_runtime.stages.decode.libav.foresight import Foresight
from pitwall_runtime.stages.decode.libav.pictures.aperture import aperture_of
from pitwall_runtime.stages.decode.libav.pictures.colours import make_readable
from pitwall_runtime.stages.decode.libav.pictures.deinterlace import Deinterlacer, Picture
from pitwall_runtime.stages.decode.libav.pictures.jpeg_ends import JpegEnds
from pitwall_runtime.stages.decode.libav.pictures.jpeg_scans import JpegScans
from pitwall_runtime.stages.decode.libav.pictures.pauses import Pauses
from pitwall_runtime.stages.decode.libav.pictures.turning import Turning
from pitwall_runtime.stages.decode.libav.pictures.upright import Upright
from pitwall_runtime.stages.decode.libav.pictures.webp import is_webp, read_webp
from pitwall_runtime.stages.decode.port import THREADS, Ended

_BYTES_PER_PIXEL = 4
_UNCHECKED: Final = ("vp8", "vp9", "libvpx-vp9", "av1", "libdav1d", "theora")
"""Decoders that do not know which pictures the one before them refers to."""
_SHOWING_ANY_BEGINNING: Final = ("mpeg4", "msmpeg4v1", "msmpeg4v2", "msmpeg4v3", "h263", "flv", "wmv1", "wmv2")
"""Decoders that begin with any picture, on top of nothing."""
_MOST: Final = 0.5
_JOINED: Final = (
    "it is several recordings that were joined byte by byte, of which only the first one can be read: join them by a "
    "program that knows their format, as ffmpeg's concat does, or send each by itself"
)
_HELD_BACK = 16
"""More key frames than any decoder holds back: after so many the damaged place has passed, whatever its time said."""


class PyAv:
    """Decodes with the FFmpeg that PyAV brings along."""

    def read(self, path: str, spec: PoolSpec, threads: int = THREADS) -> Iterator[Frame | Ended]:
        """See `Decoder.read`."""
        if is_webp(path):
            yield from read_webp(path, spec)
            return
        with opened(path, threads=threads) as source:
            yield from FilmReader(source, spec).frames()


class FilmReader:
    """One pass over one file."""

    def __init__(self, source: Source, spec: PoolSpec) -> None:
        self._source, self._codec, self._spec = source, source.decoder, spec
        self._witness, self._jpeg_scans = Witness(source.stream, source.decoder), JpegScans(source.stream)
        self._nals, self._leaps, self._turning = Nals(source.stream), Leaps(source), Turning(source.stream, self._codec)
        self._counted, self._jpeg_ends, self._doubts = CountedClock(source), JpegEnds(source.stream), Doubts(source)
        self._upright, self._deinterlacer = Upright(spec.height_pixels, aperture_of(source.stream)), Deinterlacer()
        self._clock, self._joined, self._order = FilmClock(source), JoinedRecordings(source), DecodedOrder(source)
        self._foresight = Foresight(self._clean_packets(), spec.interval / source.time_base)
        self._may_skip = source.keeps_display_times or source.stream.codec.intra_only
        self._first_aspect = self._codec.sample_aspect_ratio
        self._begun = False
        self._shown_until = 0
        """Where the latest picture stops showing."""
        self._first_sent: int | None = None
        self._lost_from: int | None = None
        self._earliest: int | None = None
        """When the film's first picture is shown, whether it can be decoded or not."""
        self._suspect = False
        """From a damaged place of the file on until the next key frame behind it: pictures may be missing."""
        self._suspect_from: int | None = None
        """When the first picture behind that place is shown. Decoders give pictures late: a key frame that comes out
        after the place was read may have been sent before it. None where the container does not tell."""
        self._suspect_keys = 0
        """Key frames since that place."""
        self._unsound = False
        """From a decoding error or a missing picture on until the next key frame behind it: pictures are smeared."""
        self._unsound_from: int | None = None
        """When the last picture is shown of which the decoder may have complained: each of its threads had one."""
        self._unsound_keys = 0
        self._sent: deque[int] = deque(maxlen=self._codec.thread_count)
        """When the pictures are shown that were sent last."""
        self._keys_sent: deque[int] = deque(maxlen=_HELD_BACK)

    def frames(self) -> Iterator[Frame | Ended]:
        """The pool, as `Decoder.read` gives it."""
        instants: Instants | None = None
        for picture in self._even():
            if instants is None:
                instants = Instants(self._spec, self._source.time_base, self._lost_from)
            yield from instants.show(
                Shown(
                    picture.start,
                    picture.duration,
                    partial(self._upright.rgb, picture.frame, picture.pixel_aspect, self._turning.matrix),
                    picture.faulty,
                    picture.after_loss,
                    picture.key,
                )
            )
            if instants.is_over:
                yield instants.cut(self._source.captions, self._doubtful(at_end=False))
                return
        yield from self._close(instants or Instants(self._spec, self._source.time_base))

    def _close(self, instants: Instants) -> Iterator[Frame | Ended]:
        """The last picture's frames and the end, once the file is read."""
        read_end, declared_end = self._source.ends()
        last_end = end_of_last(self._source, read_end, self._earliest)
        if self._unsound and self._sent:  # what the decoder refused was in the file, also where pictures are counted
            last_end = max(last_end, max(self._sent) + self._source.tick)
        after_loss = self._unsound or self._suspect or self._joined.unreadable
        encrypted = self._source.scrambled_rest
        if encrypted > _MOST:
            raise NotAVideoError(ENCRYPTED)
        change = self._source.codec_change(doubtful=after_loss)
        if change and change.lasting is not None:
            declared_end = last_end + change.lasting
        unread = self._joined.unread_ticks()
        declared_end = last_end + unread if unread else declared_end
        try:
            yield from instants.close(
                last_end,
                self._counted.promised_end() or declared_end,
                after_loss=after_loss,
                doubtful=[*self._doubtful(), *([(last_end - self._source.tick, FOREVER)] if encrypted else ())],
                captions=self._source.captions,
            )
        except MediaBrokenError as error:
            if change:
                raise MediaBrokenError(change.words) from None
            if unread:
                raise MediaBrokenError(f"{error.message.partition(';')[0]}; {_JOINED}") from None
            raise

    def _doubtful(self, *, at_end: bool = True) -> list[tuple[int, int]]:
        counted_from = self._counted.doubtful_from(at_end=at_end)
        apart = self._leaps.doubtful_from
        apart_from = None if apart is None else self._clock.on_films_clock(apart)
        since = (counted_from, self._order.doubtful_from(at_end=at_end), apart_from)
        rest = [(begin, FOREVER) for begin in since if begin is not None]
        return [*self._doubts.stretches(at_end=at_end), *self._clock.wrong, *rest]

    def _clean_packets(self) -> Iterator[VideoPacket]:
        pauses, joints = Pauses(self._source), Joints(self._source, self._clock)
        for packet in self._leaps.set_right(self._joined.without_heads(self._source.packets())):
            if not self._clock.set_right(packet):
                continue
            if packet.is_discard and self._clock.put_behind:
                packet = shown(packet)  # noqa: PLW2901
            joints.look_at(packet)
            self._joined.set_right(packet)
            if self._joined.unreadable and packet.size:
                self._source.note(packet)
                continue
            self._counted.set_right(packet)
            pauses.set_right(packet)
            self._order.look_at(packet)
            self._doubts.look_at(packet)
            self._jpeg_ends.look_at(packet)
            yield self._source.note(packet)

    def _even(self) -> Iterator[Picture]:
        """Deinterlaced pictures."""
        for picture in self._pictures():
            yield from self._deinterlacer.put(picture)
        yield from self._deinterlacer.flush()

    def _pictures(self) -> Iterator[Picture]:
        for packet, seen in self._foresight:
            for frame in self._decoded(packet, needed=seen or self._must_be_whole(packet)):
                picture = self._picture(frame)
                may_skip = self._may_skip and not self._order.applies and not frame.interlaced_frame
                if may_skip and self._foresight.start is None:
                    self._foresight.start = picture.start if self._lost_from is None else self._lost_from
                yield picture

    def _must_be_whole(self, packet: VideoPacket) -> bool:
        """Whether this picture may not be skipped, since others need it or something near it is damaged."""
        return self._unsound or self._suspect or not self._nals.may_be_skipped(packet)

    def _decoded(self, packet: VideoPacket, *, needed: bool) -> list[VideoFrame]:
        shown_at = self._source.shown_at(packet)
        if packet.is_corrupt:
            self._begin_suspicion(packet, shown_at)
        if is_held(packet):
            return []
        self._earliest = shown_at if self._earliest is None else self._earliest
        if not needed and self._source.stream.codec.intra_only:
            return []
        self._remember(packet, shown_at)
        self._witness.look_at(packet)
        self._jpeg_scans.look_at(packet)
        self._turning.look_at(packet)
        self._codec.skip_frame = "DEFAULT" if needed else "NONREF"
        try:
            return self._codec.decode(None if is_end(packet) else packet)
        except FFmpegError:
            # Decoders call it invalid data when they get no memory for a picture: then there is none here either.
            np.empty(self._codec.width * self._codec.height * _BYTES_PER_PIXEL, np.uint8)
            self._unsound, self._unsound_from, self._unsound_keys = True, max(self._sent, default=None), 0
            self._order.lose(self._shown_until)
            if not self._begun:
                self._lost_from = self._first_sent
            return []

    def _remember(self, packet: VideoPacket, shown_at: int | None) -> None:
        """What is sent to the decoder, which gives it later."""
        if not self._begun and self._first_sent is None and (packet.is_keyframe or not self._source.restarts):
            self._first_sent = shown_at
        if shown_at is not None:
            self._sent.append(shown_at)
        if packet.is_keyframe and packet.pts is not None:
            self._keys_sent.append(packet.pts)

    def _begin_suspicion(self, packet: VideoPacket, shown_at: int | None) -> None:
        if not self._begun and self._lost_from is None:
            self._lost_from = 0 if self._earliest is None and not self._source.restarts else self._earliest
        self._suspect, packet.is_corrupt = True, False
        self._order.lose(self._shown_until)
        self._suspect_from, self._suspect_keys = shown_at, 0

    def _picture(self, frame: VideoFrame) -> Picture:
        make_readable(frame)
        start, duration = self._times(frame)
        key = self._is_key(frame)
        self._doubts.come_out(start)
        after_loss = self._unsound or self._suspect
        missing = after_loss and start > self._shown_until
        self._unsound_keys += key
        self._suspect_keys += key
        complained = None if self._unsound_from is None else self._unsound_from + 1
        behind_loss = key and _is_behind(start, self._suspect_from, self._suspect_keys)
        self._suspect = self._suspect and not behind_loss
        sound_again = key and _is_behind(start, complained, self._unsound_keys)
        torn = frame.is_corrupt or self._jpeg_ends.torn(frame) or self._silently_smeared(start, key=key)
        torn |= self._witness.contradicts(frame) or self._jpeg_scans.contradict(frame)
        self._unsound = torn or ((self._unsound or missing) and not sound_again)
        self._begun, self._shown_until = True, start + duration
        return Picture(
            start=start,
            duration=duration,
            frame=frame,
            pixel_aspect=self._pixel_aspect(),
            faulty=self._unsound,
            after_loss=after_loss or self._unsound,
            key=key and not self._unsound,
        )

    def _is_key(self, frame: VideoFrame) -> bool:
        """Of a decoder that does not tell, the container's word."""
        tells = self._codec is self._source.stream.codec_context
        return frame.key_frame if tells else frame.pts in self._keys_sent

    def _silently_smeared(self, start: int, *, key: bool) -> bool:
        """Whether what this picture is made of is lost, of which its decoder says nothing."""
        if not self._begun and not key and self._codec.name in _SHOWING_ANY_BEGINNING:
            return True
        behind = self._suspect_from is None or start >= self._suspect_from
        return self._suspect and behind and self._codec.name in _UNCHECKED

    def _times(self, frame: VideoFrame) -> tuple[int, int]:
        """When the picture is shown and for how long. Where the container keeps no times, pictures are counted."""
        duration, counted = self._source.duration_of(frame.duration), self._order.next_time()
        if counted is not None:
            return counted, duration
        keeps = self._source.keeps_display_times or (self._source.indexed and not self._begun)
        start = frame.pts if keeps and frame.pts is not None else frame.dts
        return (self._shown_until if start is None else start), duration

    def _pixel_aspect(self) -> Fraction:
        """The container's word, unless the pictures themselves have changed theirs since."""
        now = self._codec.sample_aspect_ratio
        aspect = now if now != self._first_aspect else self._source.stream.sample_aspect_ratio
        return aspect or Fraction(1)


def _is_behind(start: int, place: int | None, keys: int) -> bool:
    """Whether a key frame ends what began at this place, `keys` key frames ago."""
    return place is None or start >= place or keys > _HELD_BACK

"""The PyAV decoder: one sequential pass over the file, in which only pictures that matter are decoded in full."""

from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from functools import partial

import numpy as np
from av.error import FFmpegError
from av.video.frame import VideoFrame

from pitwall_runtime.decode.instants import Instants, Shown
from pitwall_runtime.decode.libav.clock import FilmClock
from pitwall_runtime.decode.libav.container import Source, VideoPacket, opened
from pitwall_runtime.decode.libav.counted import CountedClock
from pitwall_runtime.decode.libav.foresight import Foresight
from pitwall_runtime.decode.libav.pictures.deinterlace import Deinterlacer, Picture
from pitwall_runtime.decode.libav.pictures.jpeg_ends import JpegEnds
from pitwall_runtime.decode.libav.pictures.pauses import Pauses
from pitwall_runtime.decode.libav.pictures.upright import Upright
from pitwall_runtime.decode.libav.pictures.webp import is_webp, read_webp
from pitwall_runtime.decode.port import THREADS, Ended
from pitwall_runtime.media import Frame, PoolSpec

_BYTES_PER_PIXEL = 4
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
        self._source, self._codec, self._spec = source, source.stream.codec_context, spec
        self._counted, self._jpeg_ends = CountedClock(source), JpegEnds(source.stream)
        self._upright, self._deinterlacer = Upright(spec.height_pixels), Deinterlacer()
        self._foresight = Foresight(self._clean_packets(), spec.interval / source.time_base)
        self._may_skip = source.keeps_display_times or source.stream.codec.intra_only
        self._first_aspect = self._codec.sample_aspect_ratio
        self._begun = False
        self._shown_until = 0
        """Where the latest picture stops showing."""
        self._first_sent: int | None = None
        self._lost_from: int | None = None
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
        self._sent: deque[int] = deque(maxlen=source.stream.codec_context.thread_count)
        """When the pictures are shown that were sent last."""

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
                    partial(self._upright.rgb, picture.frame, picture.pixel_aspect),
                    picture.faulty,
                    picture.after_loss,
                    picture.key,
                )
            )
            if instants.is_over:
                yield instants.cut(self._source.captions, self._counted.doubtful_from(at_end=False))
                return
        instants = instants or Instants(self._spec, self._source.time_base)
        last_end, declared_end = self._source.ends()
        if self._unsound and self._sent:  # what the decoder refused was in the file, also where pictures are counted
            last_end = max(last_end, max(self._sent) + self._source.tick)
        yield from instants.close(
            last_end,
            declared_end,
            after_loss=self._unsound or self._suspect,
            doubtful_from=self._counted.doubtful_from(),
            captions=self._source.captions,
        )

    def _clean_packets(self) -> Iterator[VideoPacket]:
        clock, pauses = FilmClock(self._source), Pauses(self._source)
        for packet in self._source.packets():
            clock.set_right(packet)
            self._counted.set_right(packet)
            pauses.set_right(packet)
            self._jpeg_ends.look_at(packet)
            self._source.note(packet)
            yield packet

    def _even(self) -> Iterator[Picture]:
        """Deinterlaced pictures."""
        for picture in self._pictures():
            yield from self._deinterlacer.put(picture)
        yield from self._deinterlacer.flush()

    def _pictures(self) -> Iterator[Picture]:
        for packet, seen in self._foresight:
            for frame in self._decoded(packet, needed=seen or self._unsound or self._suspect):
                picture = self._picture(frame)
                if self._may_skip and self._foresight.start is None and not frame.interlaced_frame:
                    self._foresight.start = picture.start if self._lost_from is None else self._lost_from
                yield picture

    def _decoded(self, packet: VideoPacket, *, needed: bool) -> list[VideoFrame]:
        if packet.is_corrupt:
            self._suspect, packet.is_corrupt = True, False
            self._suspect_from = self._shown_at(packet)
            self._suspect_keys = 0
        if not needed and self._source.stream.codec.intra_only:
            return []
        if not self._begun and self._first_sent is None and (packet.is_keyframe or self._source.indexed):
            self._first_sent = packet.pts
        if (shown_at := self._shown_at(packet)) is not None:
            self._sent.append(shown_at)
        self._codec.skip_frame = "DEFAULT" if needed else "NONREF"
        try:
            return self._codec.decode(packet if packet.size else None)
        except FFmpegError:
            # Decoders call it invalid data when they get no memory for a picture: then there is none here either.
            np.empty(self._codec.width * self._codec.height * _BYTES_PER_PIXEL, np.uint8)
            self._unsound, self._unsound_from, self._unsound_keys = True, max(self._sent, default=None), 0
            if not self._begun:
                self._lost_from = self._first_sent
            return []

    def _picture(self, frame: VideoFrame) -> Picture:
        start, duration = self._times(frame)
        after_loss = self._unsound or self._suspect
        missing = after_loss and start > self._shown_until
        torn = frame.is_corrupt or self._jpeg_ends.torn(frame)
        self._unsound_keys += frame.key_frame
        self._suspect_keys += frame.key_frame
        complained = None if self._unsound_from is None else self._unsound_from + 1
        sound_again = frame.key_frame and _is_behind(start, complained, self._unsound_keys)
        self._unsound = torn or ((self._unsound or missing) and not sound_again)
        self._suspect = self._suspect and not (
            frame.key_frame and _is_behind(start, self._suspect_from, self._suspect_keys)
        )
        self._begun, self._shown_until = True, start + duration
        return Picture(
            start=start,
            duration=duration,
            frame=frame,
            pixel_aspect=self._pixel_aspect(),
            faulty=self._unsound,
            after_loss=after_loss or self._unsound,
            key=frame.key_frame and not self._unsound,
        )

    def _shown_at(self, packet: VideoPacket) -> int | None:
        return packet.pts if self._source.keeps_display_times else packet.dts

    def _times(self, frame: VideoFrame) -> tuple[int, int]:
        """When the picture is shown and for how long. Where the container keeps no times, pictures are counted."""
        duration = self._source.duration_of(frame.duration)
        start = frame.dts if frame.pts is None or not self._source.keeps_display_times else frame.pts
        return (self._shown_until if start is None else start), duration

    def _pixel_aspect(self) -> Fraction:
        """The container's word, unless the pictures themselves have changed theirs since."""
        now = self._codec.sample_aspect_ratio
        aspect = now if now != self._first_aspect else self._source.stream.sample_aspect_ratio
        return aspect or Fraction(1)


def _is_behind(start: int, place: int | None, keys: int) -> bool:
    """Whether a key frame ends what began at this place, `keys` key frames ago."""
    return place is None or start >= place or keys > _HELD_BACK

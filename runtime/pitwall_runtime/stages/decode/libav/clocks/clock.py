"""Gives packets one clock that only goes forward, as players do, over restarts and cuts of the container's clock.

So it is in broadcasts, and in an MP4's fragments where a recorder or packager began anew.
"""

from collections import deque
from itertools import islice

from pitwall_runtime.stages.decode.libav.files.container import Source, VideoPacket
from pitwall_runtime.stages.decode.libav.losses.tables import has_fragments

_BACK_SECONDS = 0.1
_AHEAD_SECONDS = 10.0
"""A jump of the decoding clock beyond these is a new clock, ffmpeg's own rule (-dts_delta_threshold), unless a picture
is held."""
_AWAY_SECONDS = 1.0
"""A gap beyond which it is looked whether another channel is recorded meanwhile."""
_LONGEST_LOSS_SECONDS = 3600.0
"""A jump ahead beyond these is another recording, of which nothing need be told; of less something may be lost."""
_VARYING = 4
"""How many times longer than so far as many bytes may last."""
_KNOWN_PICTURES = 4096
_NEAR_PICTURES = 64
_LONG = 2
"""Times the usual that a picture lasts at most."""
_OVERLAP_SECONDS = 0.5
"""Fragments that begin less than that before the end of the one before have a right time: its pictures are said to last
a bit too long."""


class FilmClock:
    """Shifts packets after a restart so that the film goes on where it was, and sorts out what comes twice."""

    def __init__(self, source: Source) -> None:
        self._source, self._tick = source, source.tick
        self._applies = source.restarts or (source.indexed and has_fragments(source.container.name))
        self._back = round(_BACK_SECONDS / source.time_base)
        self._ahead = round(_AHEAD_SECONDS / source.time_base)
        self._away = round(_AWAY_SECONDS / source.time_base)
        self._longest_loss = round(_LONGEST_LOSS_SECONDS / source.time_base)
        self._offset = 0
        self._first = 0
        self._expected: int | None = None
        self._begin = 0
        """What the container's clock said at the latest restart."""
        self._known: deque[tuple[int, int]] = deque(maxlen=_KNOWN_PICTURES)
        """The container's time of the latest pictures and their sizes, the latest one first."""
        self._near: deque[tuple[int, int, int]] = deque(maxlen=_NEAR_PICTURES)
        """When the latest ones are decoded and shown, and for how long."""
        self._again_until: int | None = None
        self._place: int | None = None
        """Where the latest packet lies in the file."""
        self._overlap = round(_OVERLAP_SECONDS / source.time_base)
        self._key = 0
        """What the container's clock said at the latest key picture."""
        self.put_behind = False
        """Whether the latest packet, of an MP4's fragments, is of a clock that had begun anew. FFmpeg marks pictures at
        times that were there before as not to be shown."""
        self.began_anew = self.goes_on_closely = False
        """Whether the latest packet is of another recording, by a broadcast's clock that went back or far ahead, or
        comes just when the one before it ends."""
        self.wrong: list[tuple[int, int]] = []
        """Stretches, on the film's clock, in which the container's went too fast, or left something out."""

    def set_right(self, packet: VideoPacket) -> bool:
        """Moves the packet's times onto the film's clock, in place. False for a picture that was there before, since
        the file holds some bytes twice: the first one behind these is marked as corrupt."""
        self.began_anew = self.goes_on_closely = False
        if not self._applies or packet.dts is None:
            return True
        dts = self._moved(packet.dts)
        if self._again_until is not None:
            if self._again_until - self._ahead <= dts < self._again_until:
                return False
            packet.is_corrupt, self._again_until = True, None
        if self._expected is None:
            self._first, self._begin = dts, packet.dts
        elif self._overlaps(packet, dts):
            self._go_back(packet, dts)
        elif not self._goes_on(packet, dts):
            if self._comes_again(packet):
                self._again_until = self._expected
                return False
            self._begin_anew(packet.dts, dts)
            dts = self._expected
        else:
            self.goes_on_closely = abs(dts - self._expected) <= self._tick // 2
            self._look_away(packet, dts - self._expected)
        self._remember(packet)
        packet.pts = None if packet.pts is None else packet.pts + self._offset
        packet.dts = dts
        self._expected = dts + (packet.duration or self._tick)
        self._place = self._place if packet.pos is None else packet.pos
        return True

    def on_films_clock(self, told: int) -> int:
        """A time of the container's that belongs to the latest packet, or lies near it."""
        return told + self._offset

    def _remember(self, packet: VideoPacket) -> None:
        """By the container's clock."""
        assert packet.dts is not None
        shown = packet.dts if packet.pts is None else packet.pts
        self._known.appendleft((packet.dts, packet.size))
        self._near.appendleft((packet.dts, shown, packet.duration or self._tick))
        self._key = packet.dts if packet.is_keyframe else self._key

    def _go_back(self, packet: VideoPacket, dts: int) -> None:
        """To where a fragment says that it begins."""
        assert self._expected is not None
        self.put_behind = False
        if self._expected - dts > self._overlap:
            later = 0 if packet.pts is None or packet.dts is None else max(0, packet.pts - packet.dts)
            self.wrong.append((dts, self._expected + later))

    def _moved(self, told: int) -> int:
        """A time of the container's. Where a fragment's is right as it is, those before it had a wrong one."""
        if not self._source.restarts and abs(told - (self._expected or 0)) <= self._tick // 2:
            self._offset = 0
        return told + self._offset

    def _begin_anew(self, told: int, dts: int) -> None:
        """Another recording begins, with its clock at `told`, or after a loss for which nothing tells the time."""
        assert self._expected is not None
        may_be_loss = 0 < dts - self._expected < self._longest_loss
        if may_be_loss:
            self.wrong.append((self._expected - self._tick, self._expected))
        self._begin, self.began_anew = told, self._source.restarts and not may_be_loss
        self._known.clear()
        self._near.clear()
        self._offset += self._expected - dts

    def _goes_on(self, packet: VideoPacket, dts: int) -> bool:
        """Whether the packet is of the same recording as the one before it, by its time on the film's clock."""
        assert self._expected is not None
        assert packet.dts is not None
        if not self._source.restarts and packet.dts > self._near[0][0]:
            return True  # an MP4's fragments are numbered, and their last pictures may say that they last too long
        self.put_behind = not self._source.restarts
        if self._source.restarts and dts >= self._expected - self._back:
            return dts <= self._expected + self._ahead + self._lost_before(packet) or self._is_held(packet, dts)
        since = self._too_fast_since(packet)
        if since is not None:
            self.wrong.append((since + self._offset, dts))
            packet.is_corrupt = True
        return since is not None

    def _overlaps(self, packet: VideoPacket, dts: int) -> bool:
        """Whether a fragment begins a bit before the end of the one before it, and is neither the same nor of another
        recording. FFmpeg goes by its time, and hides what comes too early."""
        assert self._expected is not None
        assert packet.dts is not None
        if self._source.restarts or packet.dts > self._near[0][0] or packet.dts <= self._begin + self._tick // 2:
            return False
        is_short = self._expected - dts <= self._overlap or (packet.is_keyframe and packet.dts > self._key)
        return is_short and (packet.dts, packet.size) not in self._known

    def _is_held(self, packet: VideoPacket, dts: int) -> bool:
        assert self._expected is not None
        begin, end = ((tick - self._offset) * self._source.time_base for tick in (self._expected, dts))
        return self._source.held.is_held((begin, end), (self._place, packet.pos))

    def _too_fast_since(self, packet: VideoPacket) -> int | None:
        """Since when the clock went too fast, if it is right again: where a header is damaged pictures last too long,
        and those behind them come too late, until one tells its own time."""
        assert packet.dts is not None
        shown = packet.dts if packet.pts is None else packet.pts
        long = [dts for dts, _, duration in self._near if dts < packet.dts and duration > _LONG * self._tick]
        if long:
            return min(long)
        for pictures, (dts, pts, _) in enumerate(self._near, 1):
            off = min(abs(packet.dts - dts - pictures * self._tick), abs(shown - pts - pictures * self._tick))
            if dts < packet.dts and off <= self._tick // 2:
                return dts
        return None

    def _comes_again(self, packet: VideoPacket) -> bool:
        """Whether the clock went back to what was read before: to the same picture, but that with which a recording
        began if nothing is torn, or to the time of one that was just there, unless by a key picture, as the next
        recording begins."""
        if packet.dts == self._begin and not packet.is_corrupt:
            return False
        near = any(dts == packet.dts for dts, _ in islice(self._known, _NEAR_PICTURES))
        return (near and not packet.is_keyframe) or (packet.dts, packet.size) in self._known

    def _look_away(self, packet: VideoPacket, gap: int) -> None:
        source = self._source
        if gap > self._away and source.held.is_away(source.stream.id, self._place, packet.pos):
            packet.is_corrupt = True

    def _lost_before(self, packet: VideoPacket) -> int:
        """How far the clock may have gone on in the bytes that nobody read, however the film's rate varies."""
        holes = self._source.holes
        if not packet.is_corrupt or not holes.passed_over or holes.read_before <= 0 or self._expected is None:
            return 0
        elapsed = self._expected - self._first
        return _VARYING * elapsed * holes.passed_over // holes.read_before

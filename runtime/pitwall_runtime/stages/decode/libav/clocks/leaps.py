"""Sets right times of a broadcast that are wrong: the clock leaps, and a few pictures later goes on where it was.

By itself a leap ahead is a gap and one back is a new recording, so that one wrong bit would shift the rest of a film.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Final

from pitwall_runtime.stages.decode.libav.clocks.reach import DEEPEST, Reach
from pitwall_runtime.stages.decode.libav.files.container import Source, VideoPacket
from pitwall_runtime.stages.decode.libav.files.emptiness import is_end
from pitwall_runtime.stages.decode.libav.losses.broadcasts.stamps import is_as_written

_LEAP_SECONDS: Final = 0.1
_LEAP_PICTURES: Final = 2
"""A leap is farther than both: less changes nothing that is seen."""
_MOST_WRONG: Final = DEEPEST
"""Pictures; a packet of a program stream tells one time for all that begin in it."""
_DEEPEST_REORDERING: Final = 17
"""Pictures by which one may be shown later than it is decoded."""
_FAR_SECONDS: Final = 2
"""More than that besides is no time of any picture, but behind one that is held."""


class Leaps:
    """Follows the packets of a container whose clock may begin anew. Those of others stay as they are."""

    def __init__(self, source: Source) -> None:
        self._source, self._applies, self._tick = source, source.restarts, source.tick
        self._leap = max(round(_LEAP_SECONDS / source.time_base), _LEAP_PICTURES * source.tick)
        self._reordering = _DEEPEST_REORDERING * source.tick
        self._far = self._reordering + round(_FAR_SECONDS / source.time_base)
        self._expected: int | None = None
        self._later = 0
        """How much later than it is decoded the latest picture is shown, of those that are not held."""
        self._reach = Reach(self._leap)
        self.doubtful_from: int | None = None
        """From when on the film's last pictures may be shown at other times, on the container's clock."""

    def set_right(self, packets: Iterable[VideoPacket]) -> Iterator[VideoPacket]:
        """The packets, in order. After a leap some are read ahead, but none behind one that follows a loss: what is
        known of a loss is known of the latest packet."""
        waiting: deque[VideoPacket] = deque()
        for packet in packets:
            waiting.append(packet)
            while waiting and self._is_decided(waiting):
                yield self._take(waiting)
        while waiting:
            yield self._take(waiting)

    def _is_decided(self, waiting: deque[VideoPacket]) -> bool:
        latest = waiting[-1]
        if latest.is_corrupt or latest.dts is None or len(waiting) > _MOST_WRONG:
            return True
        if self._leaps(waiting[0]):
            return self._comes_back(waiting)
        return not self._is_shown_apart(waiting[0]) or self._reach.comes_to(waiting)

    def _take(self, waiting: deque[VideoPacket]) -> VideoPacket:
        packet = waiting[0]
        if self._leaps(packet) and self._comes_back(waiting):
            self._move(packet)
        if self._is_shown_apart(packet):
            if is_end(waiting[-1]) and not self._reach.comes_to(waiting):
                self._end_apart(waiting)
            elif not self._reach.may_come_to(waiting):
                self._show_as_others(packet)
        elif packet.dts is not None and packet.pts is not None:
            self._later = packet.pts - packet.dts
        if packet.dts is not None:
            self._expected = packet.dts + (packet.duration or self._tick)
            self._reach.follow(packet)
        return waiting.popleft()

    def _leaps(self, packet: VideoPacket) -> bool:
        if not self._applies or packet.dts is None or self._expected is None or packet.is_corrupt:
            return False
        return abs(packet.dts - self._expected) > self._leap

    def _is_shown_apart(self, packet: VideoPacket) -> bool:
        """Whether its two times are farther apart than those of pictures that follow each other."""
        if not self._applies or packet.dts is None or packet.pts is None:
            return False
        return not -self._leap <= packet.pts - packet.dts <= self._far

    def _end_apart(self, waiting: deque[VideoPacket]) -> None:
        """Nothing confirms when one of the film's last pictures is shown, by itself."""
        packet, latest = waiting[0], max(one.dts for one in waiting if one.dts is not None)
        if self._reach.ends_plausibly(waiting):
            return
        if not self._reach.may_come_to(waiting):
            self._show_as_others(packet)
            if not self._reach.is_known:
                self._doubt(packet.dts)
        elif packet.pts is not None and not (self._sound_goes_on(latest, packet.pts) or self._is_as_written(packet)):
            self._doubt(latest)

    def _is_as_written(self, packet: VideoPacket) -> bool:
        """Whether nothing tells that the picture's time is damaged: without sound it is held then."""
        source, lengths = self._source, {self._tick, packet.duration or self._tick}
        if source.container.format.name != "mpegts" or None in (packet.pos, packet.pts, packet.dts):
            return False
        assert packet.pos is not None
        assert packet.pts is not None
        assert packet.dts is not None
        usual = [packet.dts + pictures * length for length in lengths for pictures in range(_DEEPEST_REORDERING + 1)]
        return is_as_written(source.container.name, packet.pos, packet.pts, [*usual, packet.dts + self._later])

    def _sound_goes_on(self, begin: int, end: int) -> bool:
        seconds = begin * self._source.time_base, end * self._source.time_base
        return self._source.held.is_held(seconds, (None, None))

    def _doubt(self, since: int | None) -> None:
        self.doubtful_from = since if self.doubtful_from is None else self.doubtful_from

    def _show_as_others(self, packet: VideoPacket) -> None:
        assert packet.dts is not None
        packet.pts = packet.dts + self._later

    def _comes_back(self, waiting: deque[VideoPacket]) -> bool:
        """Whether the clock leaps back to one of these pictures, which is decoded when it should be had it never leapt.
        A sender that stood still and then catches up comes there by itself, and its times are right; so are those of
        pictures that are held again and again."""
        assert self._expected is not None
        assert waiting[0].dts is not None
        due = following = self._expected
        leapt, turned = waiting[0].dts - due, False
        for packet in waiting:
            lasting = packet.duration or self._tick
            if packet.dts is not None:
                leaps = abs(packet.dts - following) > self._leap
                turned = turned or (leaps and (packet.dts - following) * leapt < 0)
                if turned and leaps and abs(packet.dts - due) <= self._tick // 2:
                    return True
                following = packet.dts + lasting
            due += lasting
        return False

    def _move(self, packet: VideoPacket) -> None:
        """To where it should be, with both of its times unless they cannot both be of one picture."""
        assert packet.dts is not None
        assert self._expected is not None
        shift = self._expected - packet.dts
        if packet.pts is not None and 0 <= packet.pts - packet.dts <= self._reordering:
            packet.pts += shift
        packet.dts = self._expected

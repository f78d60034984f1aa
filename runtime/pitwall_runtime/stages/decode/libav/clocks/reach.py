"""Tells when a picture may be shown long after it is decoded: only if the one before it is held, others come between.

Encoders decode each picture when another one is shown: a picture that follows a held one is decoded before the hold, as
are those of which the pictures between are made. Some pictures later the clock of decoding comes to when it is shown.
"""

from collections import deque
from itertools import islice
from typing import Final

from pitwall_runtime.stages.decode.libav.files.container import VideoPacket

DEEPEST: Final = 24
"""Pictures; more than are decoded after one, in any order, until the clock of decoding comes to when it is shown."""


class Reach:
    """Follows the clock of decoding. A time that it comes to within `near` ticks counts as reached."""

    def __init__(self, near: int) -> None:
        self._near = near
        self._number = self._depth = 0
        """How many pictures it took at most."""
        self._longest = 0
        """How much later than it is decoded a picture is shown at most."""
        self._open: deque[tuple[int, int]] = deque(maxlen=DEEPEST)
        """Numbers of pictures, and when they are shown, to which the clock has not come."""

    def follow(self, packet: VideoPacket) -> None:
        """To be told each picture, in order."""
        if packet.dts is None or packet.pts is None:
            return
        reached = [number for number, shown in self._open if shown <= packet.dts]
        self._depth = max([self._depth, *(self._number - number for number in reached)])
        self._open = deque((one for one in self._open if one[1] > packet.dts), maxlen=DEEPEST)
        self._open.append((self._number, packet.pts))
        self._number += 1
        self._longest = max(self._longest, packet.pts - packet.dts)

    def comes_to(self, waiting: deque[VideoPacket]) -> bool:
        """Whether the clock comes to when the first of these is shown, with one of the others."""
        shown = waiting[0].pts
        behind = islice(waiting, 1, None)
        return shown is not None and any(one.dts is not None and one.dts >= shown - self._near for one in behind)

    def may_come_to(self, waiting: deque[VideoPacket]) -> bool:
        """The same where no more pictures are known: they end, or some are lost behind the last of these."""
        first = waiting[0]
        if first.dts is None or first.pts is None or first.pts < first.dts:
            return False
        behind = [one.dts - first.dts for one in islice(waiting, 1, None) if one.dts is not None]
        if waiting[-1].is_corrupt:
            return any(later > (first.pts - first.dts) // 2 for later in behind)
        return len(behind) <= self._depth < DEEPEST or self.comes_to(waiting)

    def ends_plausibly(self, waiting: deque[VideoPacket]) -> bool:
        """Whether the first of these may be shown when it says though the film ends with the last of them: each has a
        time of its own, and the film's last picture is shown as much later than its last one is decoded as others."""
        times = [(one.dts, one.pts) for one in waiting if one.dts is not None and one.pts is not None]
        last = max(dts for dts, _ in times) + self._longest + self._near
        return times[0][0] <= times[0][1] <= last and len({pts for _, pts in times}) == len(times)

    @property
    def is_known(self) -> bool:
        """Whether so many pictures were followed that those behind are decoded and shown in an order that was seen."""
        return self._number > DEEPEST

"""Takes back a word of a loss where another recording or segment begins: it counts its packets anew, and for FFmpeg
some are missing."""

import os
from collections import deque
from itertools import pairwise
from typing import Final

import numpy as np

from pitwall_runtime.stages.decode.libav.clocks.clock import FilmClock
from pitwall_runtime.stages.decode.libav.files.container import Source, VideoPacket

_NEAR: Final = 2
"""Pictures before a joint that FFmpeg may mark: of the last one it tells with the one before that."""
_SHOWN: Final = 17
"""Pictures; more than are decoded between one and the next that is shown."""
_PACKET, _SYNC = 188, 0x47
_MOST_TABLES: Final = 8
"""Packets with tables at the head of a segment, before its first picture."""


class Joints:
    """Follows a broadcast's packets in decoding order, before they are decoded."""

    def __init__(self, source: Source, clock: FilmClock) -> None:
        self._source, self._clock = source, clock
        self._latest: deque[VideoPacket] = deque(maxlen=_NEAR)
        self._shown: deque[int] = deque(maxlen=2 * _SHOWN)

    def look_at(self, packet: VideoPacket) -> None:
        """To be shown each packet right behind the clock. What is torn there all the same, its decoder complains of."""
        marked = [one for one in self._latest if one.is_corrupt and one.pos not in self._source.torn_places]
        if marked and packet.is_keyframe and self._begins_here(packet) and self._is_gapless():
            for one in marked:
                one.is_corrupt = False
        self._latest.append(packet)
        if packet.pts is not None:
            self._shown.append(packet.pts)

    def _is_gapless(self) -> bool:
        """Whether the latest pictures follow one another: at a torn end some that are decoded last are missing."""
        latest = sorted(self._shown)[-_SHOWN:]
        return all(2 * (later - one) <= 3 * self._source.tick for one, later in pairwise(latest))

    def _begins_here(self, packet: VideoPacket) -> bool:
        """A recording by its clock, which goes back; a segment by its counters, where no time is missing."""
        if self._clock.began_anew:
            return True
        is_segment = self._clock.goes_on_closely and packet.pos is not None
        return is_segment and _counts_anew(self._source.container.name, packet.pos or 0)


def _counts_anew(path: str, place: int) -> bool:
    """Whether the transport stream's packets up to this place, from a table of its programs on, are each the first one
    of its part, and have the same number."""
    count = min(_MOST_TABLES, place // _PACKET)
    with open(path, "rb") as file:
        read = os.pread(file.fileno(), (count + 1) * _PACKET, place - count * _PACKET)
    rows = np.frombuffer(read[: len(read) // _PACKET * _PACKET], np.uint8).reshape(-1, _PACKET).astype(int)
    parts = (rows[:, 1] & 0x1F) << 8 | rows[:, 2]
    tables = np.flatnonzero(parts == 0)
    if len(rows) <= count or not len(tables):
        return False
    head, counters = rows[tables[-1] :], rows[tables[-1] :, 3] & 0xF
    begin = (head[:, 0] == _SYNC).all() and (head[:, 1] & 0x40 > 0).all()
    alike = all(one == other for one, other in pairwise(counters))
    return bool(begin and alike and len(set(parts[tables[-1] :])) == len(head) > _NEAR)

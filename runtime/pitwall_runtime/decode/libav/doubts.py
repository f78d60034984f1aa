"""Collects stretches of a film that the file itself shows to be damaged, whatever its decoder says of them."""

from collections import deque
from typing import Final

from pitwall_runtime.decode.instants import FOREVER
from pitwall_runtime.decode.libav.container import Source, VideoPacket

_NEAR: Final = 36
"""Pictures; more than twice the deepest reordering of any codec."""
_SLIPS: Final = 4
"""Times of that many pictures that writers give twice, as by rounding them; a table that is wrong gives more."""


class Doubts:
    """Looks at packets on the film's clock, in decoding order."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._has_offsets = source.indexed and bool(source.stream.codec_context.has_b_frames)
        """Whether a table tells how much later than it is decoded each picture is shown."""
        self._found: list[tuple[int, int]] = []
        self._near: deque[int] = deque(maxlen=_NEAR)
        self._key = 0
        self._latest: int | None = None
        self._twice: deque[tuple[int, int]] = deque(maxlen=_SLIPS + 1)
        """The latest pictures that are shown at the same time as another one: their numbers, and the key pictures
        before them."""
        self._number = 0
        self._wrong_from: int | None = None

    def look_at(self, packet: VideoPacket) -> None:
        """A picture right before a place that cannot be read has lost its end; many pictures that are shown at the
        times of others tell that the table of times is wrong from there on."""
        at = self._source.shown_at(packet)
        if at is None or packet.is_discard:
            return
        lost_before = packet.is_corrupt and not self._source.breaks_off_in(packet)
        if lost_before and not self._source.restarts and self._latest is not None:
            self._found.append((self._latest, max(at, self._latest + self._source.tick)))
        if packet.is_keyframe:
            self._key = at
        if self._has_offsets and at in self._near:
            self._twice.append((self._number, self._key))
            first, key = self._twice[0]
            if self._wrong_from is None and len(self._twice) > _SLIPS and self._number - first < _NEAR:
                self._wrong_from = key
        self._number += 1
        self._near.append(at)
        self._latest = at

    def stretches(self) -> list[tuple[int, int]]:
        """What was found so far."""
        rest = [(self._wrong_from, FOREVER)] if self._wrong_from is not None else []
        if self._source.ends_torn and self._latest is not None:
            rest.append((self._latest, FOREVER))
        return [*self._found, *rest]

"""Collects stretches of a film that the file itself shows to be damaged, whatever its decoder says of them."""

from collections import deque
from typing import Final

from pitwall_runtime.stages.decode.instants import FOREVER
from pitwall_runtime.stages.decode.libav.files.container import Source, VideoPacket
from pitwall_runtime.stages.decode.libav.losses.tables import TimeTables, tables_of

_NEAR: Final = 36
"""Pictures; more than twice the deepest reordering of any codec."""
_HELD: Final = 2
"""Times as long as it says that a picture is shown that is held."""
_SLIPS: Final = 4
"""Times of that many pictures that writers give twice, as by rounding them; a table that is wrong gives more."""


class Doubts:
    """Looks at packets on the film's clock, in decoding order, and at pictures as they come out of the decoder."""

    def __init__(self, source: Source) -> None:
        self._source = source
        in_order = not source.stream.codec_context.has_b_frames
        self._has_offsets = source.indexed and source.keeps_display_times and not in_order
        """Whether a table tells how much later than it is decoded each picture is shown."""
        has_tables = source.indexed and source.stream.frames
        self._tables = tables_of(source.container.name, source.stream.id) if has_tables else TimeTables()
        self._found: list[tuple[int, int]] = []
        self._near: deque[int] = deque(maxlen=_NEAR)
        self._key = 0
        self._latest: int | None = None
        self._odd: deque[tuple[int, int]] = deque(maxlen=(_SLIPS if self._tables.offsets_fit else 0) + 1)
        """The latest pictures that are shown at the same time as another one, or before one that came out earlier:
        their numbers, and the key pictures before them."""
        self._number = self._uneven = 0
        """How many pictures there were, and up to the latest one before which another one was held."""
        self._shown: int | None = None
        self._wrong_from: int | None = None if self._tables.lengths_fit else -FOREVER

    def look_at(self, packet: VideoPacket) -> None:
        """A picture right before a place that cannot be read has lost its end; many pictures that are shown at the
        times of others tell that the table of times is wrong from there on."""
        if self._number == self._tables.offsets_end and self._has_offsets:
            self._distrust(self._key)
        self._number += 1
        at = self._source.shown_at(packet)
        if at is None or packet.is_discard:
            return
        lost_before = packet.is_corrupt and not self._source.breaks_off_in(packet)
        if lost_before and not self._source.restarts and self._latest is not None:
            self._found.append((self._latest, max(at, self._latest + self._source.tick)))
        if packet.is_keyframe:
            self._key = at
        if self._has_offsets and at in self._near:
            self._find_odd()
        if self._latest is not None and at - self._latest > _HELD * self._source.duration_of(packet.duration):
            self._uneven = self._number
        self._near.append(at)
        self._latest = at

    def come_out(self, shown: int) -> None:
        """Decoders know the order of pictures by themselves: where times have another, the table is wrong."""
        if self._has_offsets and self._shown is not None and shown < self._shown:
            self._find_odd()
        self._shown = shown

    def stretches(self, *, at_end: bool = True) -> list[tuple[int, int]]:
        """What was found so far, or `at_end` of the film."""
        rest = [(self._wrong_from, FOREVER)] if self._wrong_from is not None else []
        if self._source.ends_torn and self._latest is not None:
            rest.append((self._latest, FOREVER))
        if at_end and self._ends_uncounted and self._latest is not None:
            rest.append((self._latest + 1, FOREVER))
        return [*self._found, *rest]

    @property
    def _ends_uncounted(self) -> bool:
        """Whether nothing tells when the last pictures are shown: the file says only when pictures are decoded, the
        last ones come out behind all of these times, and they may be held as others were."""
        source = self._source
        if source.keeps_display_times or source.counts or not source.stream.codec_context.has_b_frames:
            return False
        return 0 < self._uneven > self._number - _NEAR

    def _find_odd(self) -> None:
        self._odd.append((self._number, self._key))
        first, key = self._odd[0]
        if len(self._odd) == self._odd.maxlen and self._number - first < _NEAR:
            self._distrust(key)

    def _distrust(self, key: int) -> None:
        self._wrong_from = key if self._wrong_from is None else self._wrong_from

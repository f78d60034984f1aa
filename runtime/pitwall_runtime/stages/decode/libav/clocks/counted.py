"""Sets right the clock of AVI files, which is a mere count of pictures: after a loss the count goes on too low.

The file's index says where each picture lies and which number it has. Where pictures lie elsewhere, since bytes are
missing or there are too many, nothing tells their numbers: the rest of the film is then of doubtful time. Of a file
without an index, as a recorder leaves it that lost its power, each picture must be led to by whole chunks.
"""

import numpy as np

from pitwall_runtime.stages.decode.libav.files.container import Source, VideoPacket
from pitwall_runtime.stages.decode.libav.losses.avi_index import UNTOLD, numbers_all
from pitwall_runtime.stages.decode.libav.losses.units import Units

_HEADER_BYTES = 8
"""Before each chunk; the index tells where these begin."""

_GAP_BYTES = 24
"""More than stands between two chunks that follow each other: a list's header, a chunk's and a byte to make it even."""

_INDEX = b"idx1"
_NEAR_END_BYTES = 1 << 16
"""What other streams have behind the last picture."""


class CountedClock:
    """Follows an AVI's packets. Those of other containers stay as they are."""

    def __init__(self, source: Source) -> None:
        self._counts = source.counts
        declared = source.stream.frames or source.stream.duration or 0
        self._declared = declared if declared < UNTOLD else 0
        entries = source.stream.index_entries if self._counts else ()
        if self._declared and not numbers_all(entries, self._declared, source.container.name, source.stream):
            entries = ()  # an index that lacks pictures has wrong numbers
        table = np.array([(one.pos + _HEADER_BYTES, one.timestamp, one.size) for one in entries], np.int64)
        self._places, self._numbers, self._sizes = table.reshape(-1, 3).T
        self._bytes_end, self._next, self._path = 0, 0, source.container.name
        self._tick = source.tick
        self._place, self._chunks = 0, Units(self._path, source.container.format.name)
        self._gap_at: int | None = None

    def set_right(self, packet: VideoPacket) -> None:
        """Gives the packet the number that the index has for its place, and marks it as corrupt after a loss."""
        if not self._counts or packet.dts is None or packet.pos is None:
            return
        at = int(np.searchsorted(self._places, packet.pos))
        if at < len(self._places) and self._places[at] == packet.pos:
            self._move(packet, int(self._numbers[at]))
        elif self._gap_at is None and (
            packet.pos < self._places.max(initial=0) or self._lies_apart(packet.pos, self._bytes_end or packet.pos)
        ):
            self._gap_at = packet.dts
        self._place, self._bytes_end, self._next = packet.pos, packet.pos + packet.size, packet.dts + 1

    def doubtful_from(self, *, at_end: bool = True) -> int | None:
        """From which picture on the times are not certain; None if all are. At the film's end the count of all pictures
        can tell that nothing is missing."""
        if not at_end:
            return self._gap_at
        if not self._declared or self._next == self._declared:
            return None
        return 0 if self._gap_at is None and not self._places.size and self._has_index() else self._gap_at

    def promised_end(self) -> int | None:
        """Where the film ends by its header, if the file breaks off before: FFmpeg then guesses from what is left."""
        if not self._counts or self._places.size or self._next >= self._declared or self._has_index():
            return None
        return self._declared * self._tick

    def _lies_apart(self, place: int, bytes_end: int) -> bool:
        """Whether something other than chunks, as those of sound, stands between the latest picture and this place."""
        return place - bytes_end > _GAP_BYTES and not self._chunks.lead(self._place, place)

    def _has_index(self) -> bool:
        """Whether the file goes on to its index, so that what is missing is none of its last pictures."""
        with open(self._path, "rb") as file:
            file.seek(self._bytes_end)
            return _INDEX in file.read(_NEAR_END_BYTES)

    def _move(self, packet: VideoPacket, number: int) -> None:
        assert packet.dts is not None
        passed = (self._numbers >= self._next) & (self._numbers < number)
        if number > self._next and self._sizes[passed].any():  # chunks without bytes are pictures that are held
            packet.is_corrupt = True
        packet.pts = None if packet.pts is None else packet.pts + number - packet.dts
        packet.dts = number

"""Finds where something of a film is lost that its demuxer passed over without a word.

A picture that comes late after bytes or fragments that are lost is one after a loss; if nothing is lost, the picture
before it was held.
"""

from collections import deque
from typing import Final

from av.packet import Packet
from av.stream import Stream

from pitwall_runtime.stages.decode.libav.losses.fragments import Fragments
from pitwall_runtime.stages.decode.libav.losses.units import Units

_UNCERTAIN_PLACES: Final = 16
"""Packets after a loss whose times may still be wrong: an Ogg page tells the time of its last packet alone."""

_HOLE_BYTES: Final = 1500
"""More than stands between two packets of a whole file: headers, tables, an index entry."""


class Holes:
    """Follows the packets of a file.

    `in_order`: each picture follows the one before it in decoding order, by the clock of decoding; else it is known of
    the last one alone when it ends.
    """

    def __init__(self, path: str, container: str, tick: int, *, in_order: bool, fragmented: bool) -> None:
        self._tick, self._in_order, self._continues = tick, in_order or fragmented, container == "mpegts"
        self._units = Units(path, container)
        self._fragments = Fragments(path) if fragmented else None
        self._places: deque[int] = deque(maxlen=_UNCERTAIN_PLACES)
        """Where the film's latest packets lie, behind those of which it is known that all between them is whole."""
        self._packet_at = self._bytes_end = self._gap = 0
        self._read_until: int | None = None
        self.passed_over, self.read_before = 0, 0
        """Bytes that are lost right before the latest packet of the film, and how many lie before those."""

    def follow(self, packet: "Packet[Stream]") -> None:
        """Remember how far packets reach in the file, whichever stream they are of."""
        if packet.pos is not None and packet.pos != self._packet_at:
            self._gap = max(self._gap, packet.pos - self._bytes_end if self._bytes_end else 0)
            self._packet_at = self._bytes_end = packet.pos
        self._bytes_end += packet.size  # several packets may come out of one that the file holds

    def is_left_over(self, packet: "Packet[Stream]") -> bool:
        """Where a broadcast's pictures go on in other packets than before, the last one of the former comes out at the
        end of the file."""
        if not self._continues or packet.pos is None or not self._places:
            return False
        return packet.pos < self._places[-1]

    def before(self, packet: "Packet[Stream]") -> bool:
        """Whether something is lost before this packet of the film."""
        self.passed_over = 0
        if packet.pts is None:
            return False
        # Pictures that others refer to come before these: only in decoding order does each follow the one before it.
        begin = packet.dts if self._in_order and packet.dts is not None else packet.pts
        is_late = self._read_until is not None and begin > self._read_until + self._tick // 2
        is_lost = is_late and self._is_lost_before(packet)
        self.read_before = (packet.pos or 0) - self.passed_over
        self._gap = 0
        if packet.pos is not None:
            self._places.append(packet.pos)
        end = begin + (packet.duration or self._tick)
        self._read_until = end if self._in_order or self._read_until is None else max(self._read_until, end)
        return is_lost

    def _is_lost_before(self, packet: "Packet[Stream]") -> bool:
        if packet.pos is None or not self._places:
            return False
        if self._fragments:
            return self._fragments.missing_between(self._places[-1], packet.pos)
        if self._units.known:
            self.passed_over = self._units.lost_between(self._places[0], packet.pos)
            self._places.clear()
        else:
            self.passed_over = self._gap if self._gap > _HOLE_BYTES else 0
        return self.passed_over > 0

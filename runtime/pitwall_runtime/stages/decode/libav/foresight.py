"""Looks ahead in the packets to tell which pictures are seen at an instant of the pool; the others need less work."""

from collections import deque
from collections.abc import Iterator
from fractions import Fraction

from pitwall_runtime.stages.decode.libav.files.container import VideoPacket
from pitwall_runtime.stages.decode.libav.files.emptiness import is_held

_AHEAD_PACKETS = 36
"""More than twice the deepest reordering of any codec (16), so the next picture in display order is among them."""


class Foresight:
    """Packets in decoding order, each with whether its picture is seen at an instant.

    Until `start` is known nothing is ruled out, nor for packets without times.
    """

    def __init__(self, packets: Iterator[VideoPacket], step: Fraction) -> None:
        self._packets, self._step = packets, step
        self._ahead: deque[tuple[VideoPacket, int | None]] = deque()
        """Each with when another picture is seen; None for one that is as the one before it."""
        self._behind: deque[int] = deque(maxlen=_AHEAD_PACKETS)
        self.start: int | None = None
        """When the first picture is shown, in ticks; the instants count from it."""

    def __iter__(self) -> Iterator[tuple[VideoPacket, bool]]:
        for packet in self._packets:
            self._ahead.append((packet, None if is_held(packet) else packet.pts))
            if len(self._ahead) > _AHEAD_PACKETS:
                yield self._take()
        while self._ahead:
            yield self._take()

    def _take(self) -> tuple[VideoPacket, bool]:
        packet, shown = self._ahead.popleft()
        seen = self._is_seen(shown)
        if shown is not None:
            self._behind.append(shown)
        return packet, seen

    def _is_seen(self, shown: int | None) -> bool:
        if self.start is None or shown is None:
            return True
        later = [other for _, other in self._ahead if other is not None and other > shown]
        later += [other for other in self._behind if other > shown]
        if not later:
            return True
        # An instant lies in [shown, next) exactly if one more of them is passed at `next` than at `shown`.
        return -((self.start - shown) // self._step) != -((self.start - min(later)) // self._step)

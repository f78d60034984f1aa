"""Collects stretches of a film that the file itself shows to be damaged, whatever its decoder says of them."""

from collections import deque
from typing import Final

from pitwall_runtime.decode.instants import FOREVER
from pitwall_runtime.decode.libav.container import Source, VideoPacket

_NEAR: Final = 36
"""Pictures; more than twice the deepest reordering of any codec."""


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
        self._twice: list[int] = []
        """The key pictures before those that are shown at the same time as another one."""

    def look_at(self, packet: VideoPacket) -> None:
        """A picture right before a place that cannot be read has lost its end; pictures that are shown at one time
        tell that the table of times is wrong from there on."""
        at = self._source.shown_at(packet)
        if at is None or packet.is_discard:
            return
        if packet.is_corrupt and not self._source.restarts and self._latest is not None:
            self._found.append((self._latest, max(at, self._latest + self._source.tick)))
        if packet.is_keyframe:
            self._key = at
        if self._has_offsets and at in self._near:
            self._twice.append(self._key)
        self._near.append(at)
        self._latest = at

    def stretches(self) -> list[tuple[int, int]]:
        """What was found so far. One picture that another takes the time of is a writer's slip."""
        rest = [(self._twice[0], FOREVER)] if len(self._twice) > 1 else []
        if self._source.ends_torn and self._latest is not None:
            rest.append((self._latest, FOREVER))
        return [*self._found, *rest]

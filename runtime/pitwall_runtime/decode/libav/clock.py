"""Gives packets one clock that only goes forward, as players do, over restarts and cuts of the container's clock."""

from pitwall_runtime.decode.libav.container import Source, VideoPacket

_BACK_SECONDS = 0.1
_AHEAD_SECONDS = 10.0
"""A jump of the decoding clock beyond these is a new clock: ffmpeg's own rule (-dts_delta_threshold)."""
_VARYING = 4
"""How many times longer than so far as many bytes may last."""


class FilmClock:
    """Shifts packets after a restart so that the film goes on where it was."""

    def __init__(self, source: Source) -> None:
        self._source, self._restarts, self._tick = source, source.restarts, source.tick
        self._back = round(_BACK_SECONDS / source.time_base)
        self._ahead = round(_AHEAD_SECONDS / source.time_base)
        self._offset = 0
        self._first = 0
        self._expected: int | None = None

    def set_right(self, packet: VideoPacket) -> None:
        """Moves the packet's times onto the film's clock, in place."""
        if not self._restarts or packet.dts is None:
            return
        dts = packet.dts + self._offset
        if self._expected is None:
            self._first = dts
        elif not -self._back <= dts - self._expected <= self._ahead + self._lost():
            self._offset += self._expected - dts
            dts = self._expected
        if self._offset:
            packet.pts = None if packet.pts is None else packet.pts + self._offset
            packet.dts = dts
        self._expected = dts + (packet.duration or self._tick)

    def _lost(self) -> int:
        """How far the clock may have gone on in the bytes that nobody read, however the film's rate varies."""
        holes = self._source.holes
        if not holes.passed_over or holes.read_before <= 0 or self._expected is None:
            return 0
        elapsed = self._expected - self._first
        return _VARYING * elapsed * holes.passed_over // holes.read_before

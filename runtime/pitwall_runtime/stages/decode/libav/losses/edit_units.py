"""Tells where pictures of an MXF are lost: it has a picture for each unit of its time, and none is held."""

from av.packet import Packet
from av.video.stream import VideoStream


class EditUnits:
    """Follows the pictures of one file, in decoding order. Those of other containers may be held."""

    def __init__(self, container: str, tick: int) -> None:
        self._applies, self._tick = container == "mxf", tick
        self._decoded_until: int | None = None
        self._shown_until: int | None = None

    def lost_before(self, packet: "Packet[VideoStream]") -> bool:
        """Whether some are missing before this one. FFmpeg numbers them as they are decoded or, where the file does
        not tell in which order they are shown, as if they were shown so, and guesses the other time."""
        if not self._applies or packet.pts is None:
            return False
        dts = packet.pts if packet.dts is None else packet.dts
        late = _is_late(dts, self._decoded_until, self._tick) and _is_late(packet.pts, self._shown_until, self._tick)
        self._decoded_until = dts + self._tick
        self._shown_until = max(self._shown_until or 0, packet.pts + self._tick)
        return late


def _is_late(time: int, until: int | None, tick: int) -> bool:
    return until is not None and time > until + tick // 2

"""Shows the pictures of an animation as long as browsers do: nobody saw those that claim to be shown for no time."""

from fractions import Fraction
from typing import Final

from pitwall_runtime.stages.decode.libav.files.container import Source, VideoPacket

_ANIMATIONS: Final = ("gif", "apng")
_TOO_SHORT_SECONDS: Final = Fraction(1, 100)
_USUAL_SECONDS: Final = Fraction(1, 10)


def seconds_shown(said: Fraction) -> Fraction:
    """How long a picture is shown that says `said`: Chrome's, Firefox's and Safari's rule."""
    return said if said > _TOO_SHORT_SECONDS else _USUAL_SECONDS


class Pauses:
    """Sets right the times of an animation's packets. Those of other containers stay as they are."""

    def __init__(self, source: Source) -> None:
        self._time_base = source.time_base
        self._is_animation = source.container.format.name in _ANIMATIONS
        self._added = 0

    def set_right(self, packet: VideoPacket) -> None:
        """Moves the packet behind those that are shown longer than they say, in place."""
        if not self._is_animation or packet.pts is None:
            return
        packet.pts = packet.dts = packet.pts + self._added
        said = packet.duration or 0
        packet.duration = round(seconds_shown(said * self._time_base) / self._time_base)
        self._added += packet.duration - said

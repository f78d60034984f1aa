"""Finds which part of a film's pictures is to be seen, as an MP4 or MOV may say by its clean aperture (`clap`)."""

import struct
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from pitwall_runtime.stages.decode.libav.losses.tables import clean_aperture

_NUMBERS: Final = struct.Struct(">8i")


@dataclass(frozen=True, slots=True)
class Aperture:
    """Of pictures of this `size`, width and height, the part that is seen: left, top, width and height in pixels."""

    size: tuple[int, int] = (0, 0)
    seen: tuple[int, int, int, int] = (0, 0, 0, 0)

    def of(self, frame: VideoFrame) -> tuple[int, int, int, int]:
        """The part of this picture that is seen; all of one of another size."""
        is_whole = self.size != (frame.width, frame.height)
        return (0, 0, frame.width, frame.height) if is_whole else self.seen

    @property
    def crops(self) -> bool:
        """Whether anything is not seen."""
        return self.seen[2:] != self.size


def aperture_of(stream: VideoStream) -> Aperture:
    """What the film's file says, as FFmpeg's command line takes it (since 7.1); whole pictures where it cannot be."""
    size = stream.width, stream.height
    content = (
        clean_aperture(stream.container.name, stream.id) if stream.container.format.name.startswith("mov") else b""
    )
    if len(content) < _NUMBERS.size:
        return Aperture()
    numbers = _NUMBERS.unpack(content[: _NUMBERS.size])
    if any(divisor <= 0 for divisor in numbers[1::2]):
        return Aperture()
    wide, high, right, down = (Fraction(*numbers[at : at + 2]) for at in range(0, len(numbers), 2))
    (left, width), (top, height) = _span(size[0], wide, right), _span(size[1], high, down)
    fits = all(begin >= 0 and 0 < long <= whole - begin for begin, long, whole in
               ((left, width, size[0]), (top, height, size[1])))  # fmt: skip
    return Aperture(size, (left, top, width, height)) if fits else Aperture()


def _span(whole: int, length: Fraction, off_centre: Fraction) -> tuple[int, int]:
    """Where a part begins whose middle is off the whole's, and how long it is."""
    begin = round((whole - length) / 2 + off_centre)
    return begin, round(length)

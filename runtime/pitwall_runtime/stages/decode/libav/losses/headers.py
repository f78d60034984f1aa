"""Tells whether a file's header says how long its film is: else FFmpeg guesses it from what is left of the file."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
from av.container import InputContainer
from av.video.stream import VideoStream

_FROM_ZERO: Final = ("matroska", "asf")
"""Containers whose length is counted from the clock's zero, wherever the first picture is."""
_FROM_FIRST_TAG: Final = ("flv", "live_flv")
"""From when the first packet is decoded: its picture may be shown seconds later."""
_READ_BYTES: Final = 1 << 20
_MXF_DURATION: Final = b"\x02\x02\x00\x08"
"""A track's, in pictures."""
_GXF_FIRST, _GXF_LAST = b"\x41\x04", b"\x42\x04"
"""Numbers of the first field and of the one behind the last."""
_RM_DURATION_AT: Final = 36
"""From the beginning of what a RealMedia file says of a stream."""


def end_of_all(container: InputContainer, duration: int, first_decoded: Fraction) -> Fraction:
    """Where a length that is one for all streams ends, in seconds on the container's clock. `first_decoded`: when the
    first packet is."""
    begin = Fraction(container.start_time or 0, av.time_base)
    if container.format.name.startswith(_FROM_ZERO):
        begin = Fraction(0)
    elif container.format.name in _FROM_FIRST_TAG:
        begin = first_decoded
    return begin + Fraction(duration, av.time_base)


def say_length(container: InputContainer, stream: VideoStream) -> bool:
    """Whether the header says the stream's duration. Of a RealMedia file, whose last picture may be held, it counts
    only where the file breaks off before its data end."""
    says = _SAYING.get(container.format.name)
    if says is None or not stream.duration or stream.duration < 0:
        return False
    with open(container.name, "rb") as file:
        return says(file.read(_READ_BYTES), stream.duration, Path(container.name).stat().st_size)


def _mxf(header: bytes, duration: int, _: int) -> bool:
    return _MXF_DURATION + duration.to_bytes(8) in header


def _gxf(header: bytes, duration: int, _: int) -> bool:
    first, last = (header.find(mark) + len(mark) for mark in (_GXF_FIRST, _GXF_LAST))
    return _number(header, last) - _number(header, first) == duration


def _rm(header: bytes, duration: int, size: int) -> bool:
    data = header.find(b"DATA")
    breaks_off = data >= 0 and size < data + _number(header, data + 4)
    stream = header.find(b"MDPR")
    while 0 <= stream < data:
        if breaks_off and _number(header, stream + _RM_DURATION_AT) == duration:
            return True
        stream = header.find(b"MDPR", stream + 1)
    return False


def _number(content: bytes, at: int) -> int:
    return int.from_bytes(content[at : at + 4])


_SAYING: Final[dict[str, Callable[[bytes, int, int], bool]]] = {"mxf": _mxf, "gxf": _gxf, "rm": _rm}

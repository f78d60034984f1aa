"""Reads what decoders tell beside a picture, of which PyAV does not know every kind."""

from typing import Any

import numpy as np
from av.sidedata.sidedata import Type
from av.video.frame import VideoFrame


def display_matrix(frame: VideoFrame) -> tuple[int, ...]:
    """The display matrix, row by row, 9 integers; empty where there is none."""
    # The stubs take the container of side data for a dictionary by name; it goes by type.
    kinds: Any = frame.side_data
    for data in kinds:
        if data.type is Type.DISPLAYMATRIX:
            return tuple(int(number) for number in np.frombuffer(bytes(data), "<i4")[:9])
    return ()


def _unnamed(kinds: type[Type], number: Any) -> Type:
    """A kind of which FFmpeg knows and PyAV does not: a photo's EXIF (31), a headset's displays (30)."""
    kind = object.__new__(kinds)
    kind._name_, kind._value_ = f"UNNAMED_{number}", number
    return kind


# PyAV asks each of a picture's data for its kind before it gives any, and fails at the first that its list lacks.
Type._missing_ = classmethod(_unnamed)  # type: ignore[assignment, method-assign]

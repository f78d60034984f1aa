"""Tells rows of embeddings that are numbers from rows that are not: those are never stored, and never believed."""

import math
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from pitwall_runtime.media import Embedded

_HALF_EXPONENT: Final = np.uint16(0x7C00)
"""All its bits are set in what is infinite or no number, and in nothing else (IEEE 754)."""


def finite_rows(embedded: Embedded) -> npt.NDArray[np.bool_]:
    """[rows]: whether all numbers of a row are finite."""
    return finite(embedded.vectors) & finite(embedded.grids)


def finite(values: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """[rows]: the same of one array. Half floats are looked at as bits, which takes a third of the time."""
    flat = values.reshape(len(values), math.prod(values.shape[1:]))
    if values.dtype != np.float16:
        found: npt.NDArray[np.bool_] = np.isfinite(flat).all(axis=1)
        return found
    bits = np.ascontiguousarray(flat).view(np.uint16)
    sound: npt.NDArray[np.bool_] = ((bits & _HALF_EXPONENT) != _HALF_EXPONENT).all(axis=1)
    return sound

"""Sobol's sequence: points that fill the unit cube evenly, by the direction numbers of Joe and Kuo (2008).

scipy.stats.qmc gives the same ones, but importing it takes as long as half of the operator's start.
"""

from typing import Any, Final

import numpy as np

BITS: Final = 30
_POLYNOMIALS: Final = ((0, (1,)), (1, (1, 3)), (1, (1, 3, 1)), (2, (1, 1, 1)), (1, (1, 1, 3, 3)))
"""Of each dimension after the first: the coefficients of a primitive polynomial, and its first direction numbers."""
DIMENSIONS: Final = 1 + len(_POLYNOMIALS)

Numbers = np.ndarray[Any, Any]


def points(index: Numbers) -> Numbers:
    """The points of these numbers, from 0 on, as columns: DIMENSIONS coordinates in [0, 1)."""
    gray = index ^ (index >> 1)
    found = np.zeros((DIMENSIONS, len(index)), dtype=np.int64)
    for bit in range(int(gray.max()).bit_length()):
        found ^= np.where((gray >> bit) & 1, _DIRECTIONS[:, bit, None], 0)
    return found / float(1 << BITS)


def _numbers(coefficients: int, first: tuple[int, ...]) -> list[int]:
    """The direction numbers of one dimension, one for each bit."""
    degree, found = len(first), list(first)
    while len(found) < BITS:
        following = found[-degree] ^ (found[-degree] << degree)
        for step in range(1, degree):
            if coefficients >> (degree - 1 - step) & 1:
                following ^= found[-step] << step
        found.append(following)
    return found


def _directions() -> Numbers:
    rows = [[1] * BITS, *(_numbers(*polynomial) for polynomial in _POLYNOMIALS)]
    return np.array([[number << (BITS - 1 - bit) for bit, number in enumerate(row)] for row in rows], dtype=np.int64)


_DIRECTIONS: Final = _directions()

"""One band of a Daubechies-4 wavelet transform, with symmetric edges: where a curve changes on a given time scale.

The same numbers as `pywt.wavedec(curve, "db4", mode="symmetric")`, `waverec` with one band left, in forty lines.
"""

import math
from typing import Final

import numpy as np

from pitwall_runtime.samplers.arithmetic.curve import Curve

_SCALING: Final[Curve] = np.array(
    [
        -0.010597401785069032,
        0.0328830116668852,
        0.030841381835560764,
        -0.18703481171909309,
        -0.027983769416859854,
        0.6308807679298589,
        0.7148465705529157,
        0.2303778133088965,
    ]
)
"""Low-pass decomposition filter of eight taps (Daubechies 1988, table 1, N = 4), reversed in time."""

_TAPS: Final = len(_SCALING)
_WAVELET: Final[Curve] = _SCALING[::-1] * np.array([-1.0, 1.0] * (_TAPS // 2))


def deepest_level(length: int) -> int:
    """The last level whose filter is not longer than what is left of the curve; 0 for curves shorter than 14."""
    return int(math.log2(length / (_TAPS - 1))) if length >= _TAPS - 1 else 0


def coarsest_detail(curve: Curve, level: int) -> Curve:
    """The detail band of `level` ≥ 1 in the time domain, as long as the curve."""
    approximation, lengths = curve, []
    for _ in range(level - 1):
        approximation = _decompose(approximation, _SCALING)
        lengths.append(len(approximation))
    band = _reconstruct(_decompose(approximation, _WAVELET), _WAVELET[::-1])
    for length in reversed(lengths):
        band = _reconstruct(band[:length], _SCALING[::-1])
    return band[: len(curve)]


def _decompose(curve: Curve, taps: Curve) -> Curve:
    """Filter and keep every second value: floor((n + 7) / 2) of them."""
    extended = np.pad(curve, _TAPS - 1, mode="symmetric")
    filtered: Curve = np.convolve(extended, taps, mode="valid")
    return filtered[1::2]


def _reconstruct(coefficients: Curve, taps: Curve) -> Curve:
    """Put a zero between values and filter."""
    stretched = np.zeros(2 * len(coefficients) - 1)
    stretched[::2] = coefficients
    band: Curve = np.convolve(stretched, taps, mode="full")
    return band[_TAPS - 2 : len(band) - (_TAPS - 2)]

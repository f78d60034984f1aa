"""Peaks of a curve by height, distance and prominence, as `scipy.signal.find_peaks` defines them.

The runtime does not carry scipy; the tests compare the two.
"""

import numpy as np
import numpy.typing as npt

from pitwall_runtime.samplers.arithmetic.curve import Curve, Positions


def find_peaks(curve: Curve, *, height: float, distance: int, prominence: float) -> Positions:
    """Local maxima of at least `height` and `prominence`; of two closer than `distance` the higher one stays."""
    peaks = _local_maxima(curve)
    peaks = peaks[curve[peaks] >= height]
    peaks = peaks[_far_apart(peaks, curve[peaks], distance)]
    return peaks[[_prominence(curve, int(peak)) >= prominence for peak in peaks]] if len(peaks) else peaks


def _local_maxima(curve: Curve) -> Positions:
    """Middles of the stretches of equal values whose neighbours on both sides are lower."""
    starts = np.flatnonzero(np.concatenate([[True], curve[1:] != curve[:-1]]))
    ends = np.append(starts[1:], len(curve)) - 1
    values = curve[starts]
    inner = np.arange(1, len(starts) - 1)
    tops = inner[(values[inner] > values[inner - 1]) & (values[inner] > values[inner + 1])]
    middles: Positions = (starts[tops] + ends[tops]) // 2
    return middles


def _far_apart(peaks: Positions, heights: Curve, distance: int) -> npt.NDArray[np.bool_]:
    """Which peaks stay if the highest ones remove the others closer than `distance`."""
    keep = np.ones(len(peaks), dtype=bool)
    for at in np.argsort(heights, kind="stable")[::-1]:
        if keep[at]:
            keep[np.abs(peaks - peaks[at]) < distance] = False
            keep[at] = True
    return keep


def _prominence(curve: Curve, peak: int) -> float:
    """How far one must go down from a peak before it goes up higher."""
    height = curve[peak]
    before = np.flatnonzero(curve[:peak] > height)
    after = np.flatnonzero(curve[peak + 1 :] > height)
    left = curve[before[-1] if len(before) else 0 : peak + 1].min()
    right = curve[peak : peak + 1 + (after[0] if len(after) else len(curve))].min()
    return float(height - max(left, right))

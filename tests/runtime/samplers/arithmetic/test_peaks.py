"""Peaks are those that scipy finds."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pitwall_runtime.samplers.arithmetic.peaks import find_peaks

DISTINCT = st.lists(st.integers(-300, 300), min_size=1, max_size=60, unique=True)
PLATEAUS = st.lists(st.integers(-2, 2), min_size=1, max_size=60)


def peaks_by_scipy(curve, **rules):
    from scipy import signal

    return signal.find_peaks(curve, **rules)[0]


@given(values=DISTINCT, height=st.integers(-200, 200), distance=st.integers(1, 9), prominence=st.integers(0, 300))
def test_by_height_distance_and_prominence(values, height, distance, prominence):
    curve = np.array(values, dtype=np.float64)
    expected = peaks_by_scipy(curve, height=height, distance=distance, prominence=prominence)

    assert find_peaks(curve, height=height, distance=distance, prominence=prominence).tolist() == expected.tolist()


@given(values=PLATEAUS, prominence=st.integers(0, 4))
def test_a_plateau_is_one_peak_at_its_middle(values, prominence):
    curve = np.array(values, dtype=np.float64)
    expected = peaks_by_scipy(curve, prominence=prominence)

    assert find_peaks(curve, height=-9, distance=1, prominence=prominence).tolist() == expected.tolist()

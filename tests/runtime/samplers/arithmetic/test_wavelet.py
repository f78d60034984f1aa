"""The wavelet's band holds the numbers of PyWavelets 1.9, and knows what a wavelet cannot see."""

import numpy as np
import pytest

from pitwall_runtime.samplers.arithmetic.wavelet import coarsest_detail, deepest_level

DIGITS = np.array([float(digit) for digit in "31415926535897932384626433832795"])
# pywt.waverec of pywt.wavedec(DIGITS, "db4", level=2, mode="symmetric") with all bands but the second set to zero
SECOND_BAND = [
    *[0.3483, -0.1843, -0.2368, 0.0367, 0.3155, 0.765, 0.5319, -0.4744, -1.266, -2.0249, -1.1426, 1.7159, 2.802],
    *[2.3639, 0.693, -3.0763, -3.3343, 0.096, 1.1554, 0.8564, 0.7916, 0.0096, -0.5608, -0.8727, -0.2218, 1.7082],
    *[1.1293, -1.9681, -1.5166, 2.054, 1.9256, -1.1458],
]


def test_the_second_band_of_some_digits():
    assert coarsest_detail(DIGITS, 2) == pytest.approx(SECOND_BAND, abs=5e-5)


@pytest.mark.parametrize(("length", "level"), [(1, 0), (13, 0), (14, 1), (27, 1), (28, 2), (3600, 9)])
def test_as_deep_as_the_filter_is_short(length, level):
    assert deepest_level(length) == level


def test_four_moments_vanish():
    seconds = np.arange(200) / 100

    assert np.abs(coarsest_detail(np.full(200, 3.0), 3)).max() < 1e-9
    assert np.abs(coarsest_detail(seconds**3, 2)[60:140]).max() < 1e-9


def test_a_step_is_seen_where_it_is():
    step = np.where(np.arange(400) < 170, 0.0, 1.0)

    assert abs(int(np.argmax(np.abs(coarsest_detail(step, 3)))) - 170) <= 8

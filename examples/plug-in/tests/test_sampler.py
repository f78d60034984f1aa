"""What is particular to the sampler, and the suite that everybody's sampler passes."""

import numpy as np
import pytest
from sampler_peaks_apart.sampler import SAMPLER, PeaksApartParameters, select

from pitwall_runtime.plugins.conformance import conform
from pitwall_runtime.samplers.offline import offline_context

TWO_PEAKS = np.array([0, 8, 9, 8, 0, 0, 0, 7, 0, 0], np.float32)


@pytest.mark.parametrize(
    ("gap", "budget", "expected"),
    [
        pytest.param(3, 2, (2, 7), id="the neighbours of the first peak are too near"),
        pytest.param(1, 3, (1, 2, 3), id="with a gap of one frame nothing is"),
        pytest.param(0, 2, (2, 7), id="0 is the video's length / 2K: 2.5 s"),
        pytest.param(60, 3, (0, 2, 7), id="a gap that does not fit is halved until the budget does, here to 1.9 s"),
    ],
)
def test_the_best_frames_are_apart(gap, budget, expected):
    chosen = select(offline_context(TWO_PEAKS, budget), PeaksApartParameters(gap_seconds=gap))

    assert chosen.indices == expected


def test_it_keeps_the_contract():
    assert conform(SAMPLER).findings == ()

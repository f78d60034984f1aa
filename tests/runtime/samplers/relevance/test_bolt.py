"""BOLT's quantiles, worked by hand; where the published form repeats frames the best ones left stand in."""

import numpy as np
import pytest

from pitwall_runtime.samplers.relevance.bolt import choose

BOX = np.array([0, 1, 1, 1, 1, 0], np.float32)


def quantiles(scores, budget, power):
    """Equations 3 and 4 of the paper: evenly spaced levels of the cumulated density."""
    density = ((scores - scores.min()) / np.ptp(scores)) ** power
    return np.searchsorted(np.cumsum(density / density.sum()), np.linspace(1 / budget, 1 - 1 / budget, budget))


def test_quantiles_of_a_box():
    # Cumulated 0, 1/4, 1/2, 3/4, 1, 1; levels 1/3, 1/2, 2/3 -> 2, 2, 3; the repeat goes to the best left, frame 1.
    assert quantiles(BOX, 3, 1).tolist() == [2, 2, 3]
    assert choose(BOX, 3, 1.0).tolist() == [1, 2, 3]


@pytest.mark.parametrize("power", [0.5, 1.0, 3.0])
def test_the_same_as_published_where_that_repeats_nothing(power):
    scores = (1.5 + np.sin(np.arange(3600) / 300)).astype(np.float32)
    published = quantiles(scores, 32, power)

    assert len(set(published.tolist())) == 32
    assert choose(scores, 32, power).tolist() == published.tolist()


def test_a_higher_power_stays_closer_to_the_peak():
    hill = np.exp(-(((np.arange(1000) - 300) / 200) ** 2)).astype(np.float32)

    assert np.ptp(choose(hill, 16, 6.0)) < np.ptp(choose(hill, 16, 1.0))


def test_one_frame_is_the_median_of_the_density():
    assert choose(BOX, 1, 1.0).tolist() == [2]

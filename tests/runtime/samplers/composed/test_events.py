"""Two Gaussians and the stretches above their threshold."""

import numpy as np
import pytest

from pitwall_runtime.samplers.composed.events import Mixture, events, fit


def test_two_gaussians_are_found_again():
    generator = np.random.default_rng(0)
    found = fit(np.concatenate([generator.normal(0.1, 0.02, 3000), generator.normal(0.4, 0.05, 1000)]))

    assert found.means == pytest.approx((0.1, 0.4), abs=0.01)
    assert found.deviations == pytest.approx((0.02, 0.05), abs=0.01)
    assert found.weights == pytest.approx((0.75, 0.25), abs=0.02)


@pytest.mark.parametrize("values", [np.full(9, 0.3), np.array([0.5]), np.array([0.0, 1e30])])
def test_whatever_the_values_the_mixture_is_made_of_numbers(values):
    assert np.isfinite(fit(values).threshold(0.7))


def test_the_threshold_is_below_the_relevant_mean():
    assert Mixture((0.1, 0.5), (0.02, 0.1), (0.5, 0.5)).threshold(0.7) == pytest.approx(0.43)


def test_gaps_are_closed_before_short_stretches_are_dropped():
    curve = np.array([0, 1, 1, 0, 1, 0, 0, 0, 1, 0, 0, 1, 1, 1], float)

    assert events(curve, 0.5, merge_frames=2, least_frames=3) == [(1, 5), (11, 14)]
    assert events(curve, 0.5, merge_frames=1, least_frames=1) == [(1, 3), (4, 5), (8, 9), (11, 14)]
    assert events(curve, 2.0, merge_frames=1, least_frames=1) == []

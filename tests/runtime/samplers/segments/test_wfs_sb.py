"""WFS-SB finds the borders of a curve, and falls back where there are none."""

import numpy as np
import pytest

from pitwall_runtime.samplers.segments.wfs_sb import WfsSbParameters, _importance, borders, choose


def rows(count):
    found = np.random.default_rng(0).normal(size=(count, 16)).astype(np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def test_borders_are_where_the_curve_changes():
    curve = np.where((np.arange(600) >= 200) & (np.arange(600) < 320), 1.0, 0.0)
    found = borders(curve)

    assert found[0] == 0
    assert found[-1] == 600
    assert min(abs(found - 200)) <= 20
    assert min(abs(found - 320)) <= 20


@pytest.mark.parametrize("count", [1, 7, 13, 14, 15])
def test_a_curve_too_short_for_a_wavelet_is_one_segment(count):
    assert borders(np.linspace(0, 1, count)).tolist() == [0, count]


def test_importance_mixes_length_mean_best_and_variance():
    curve = np.array([0.0, 1.0, 0.5, 0.5])
    variance = curve.var()

    assert _importance(curve, np.array([0, 2, 4])) == pytest.approx(
        [0.4 / 2 + 0.2 / 2 + 0.3 + 0.1 * 0.25 / (variance + 1e-8), 0.4 / 2 + 0.2 / 2 + 0.3 / 2]
    )


def test_without_borders_half_even_and_half_the_best():
    scores = np.zeros(12, np.float32)
    scores[[0, 11]] = 1.0

    assert choose(scores, rows(12), 4, WfsSbParameters()).tolist() == [0, 3, 9, 11]


def test_each_segment_that_matters_gives_its_best_frame():
    scores = np.random.default_rng(1).uniform(0, 0.1, 900).astype(np.float32)
    scores[300:420] += 0.5
    scores[360] = 1.0
    chosen = choose(scores, rows(900), 8, WfsSbParameters())

    assert 360 in chosen
    assert len(chosen) == 8

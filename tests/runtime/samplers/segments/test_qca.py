"""QCA's quotas and its spreading, and the whole budget where the published form loses frames."""

import numpy as np
import pytest

from pitwall_runtime.samplers.segments.qca import QcaParameters, _inside, _shares, choose


def rows(count, seed=0):
    found = np.random.default_rng(seed).normal(size=(count, 16)).astype(np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def softmax(values):
    return np.exp(values) / np.exp(values).sum()


def test_shares_are_those_of_the_paper():
    some, relevance = rows(60).astype(float), np.random.default_rng(2).uniform(size=60)
    groups = np.split(np.arange(60), [20, 45])
    distance = np.array([((some[g].mean(0) - some.mean(0)) ** 2).sum() for g in groups])
    variance = np.array([some[g].var(0, ddof=1).sum() for g in groups])
    strange = softmax((softmax(distance / 0.5) + softmax(variance / 0.5)) / 0.5)
    expected = 0.3 * strange + 0.7 * softmax(np.array([relevance[g].mean() for g in groups]))

    found = _shares(relevance, some.astype(np.float32), np.array([0, 20, 45, 60]), 0.3)
    assert found == pytest.approx(expected, rel=1e-4)


def test_in_a_segment_the_best_frame_and_its_opposite_among_the_relevant():
    line = np.array([[0.0], [1.0], [5.0], [9.0]], np.float32)

    assert sorted(_inside(np.array([1.0, 0.8, 0.6, 0.1]), line, 2, QcaParameters()).tolist()) == [0, 2]
    # 0.5 leaves three candidates, 0.25 too, 0.125 too, 0.0625 takes the fourth
    assert sorted(_inside(np.array([1.0, 0.8, 0.6, 0.1]), line, 4, QcaParameters()).tolist()) == [0, 1, 2, 3]


def test_an_unusual_segment_has_more_frames():
    some = np.tile(rows(1), (160, 1))
    some[80:90] = rows(10, seed=9)
    chosen = choose(np.zeros(160, np.float32), some, 32, QcaParameters(unusual="1"))

    assert np.bincount(chosen // 10, minlength=16)[8] > 32 // 16

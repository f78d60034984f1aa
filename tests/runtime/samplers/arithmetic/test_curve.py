"""Curves: ranges, best frames, candidates and deviations, worked by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pitwall_runtime.media import Shot
from pitwall_runtime.samplers.arithmetic.curve import (
    best,
    bounds,
    candidates,
    deviations,
    evenly,
    is_flat,
    smooth,
    softmax,
    unit_range,
)

FLOATS = st.floats(-1, 1, width=32)


def test_a_curve_runs_from_0_to_1_and_a_flat_one_is_0():
    assert unit_range(np.array([2.0, 4.0, 3.0])).tolist() == [0, 1, 0.5]
    assert unit_range(np.full(3, 7.0)).tolist() == [0, 0, 0]
    assert is_flat(np.full(3, 7.0))
    assert not is_flat(np.array([0.1, 0.2]))


def test_the_earlier_of_two_equal_frames_is_better():
    assert best(np.array([1.0, 3.0, 3.0, 3.0, 2.0]), 2).tolist() == [1, 2]
    assert best(np.array([1.0, 3.0]), 0).tolist() == []


@given(scores=arrays.arrays(np.float32, st.integers(1, 60), elements=FLOATS), count=st.integers(1, 60))
def test_no_frame_that_is_left_is_better_than_one_that_is_taken(scores, count):
    taken = best(scores, count)
    left = np.setdiff1d(np.arange(len(scores)), taken)

    assert len(taken) == min(count, len(scores))
    assert not len(left) or scores[left].max() <= scores[taken].min()


def test_candidates_are_half_even_and_half_the_best_of_the_others():
    scores = np.zeros(100)
    scores[[3, 4, 75]] = 1.0

    assert candidates(scores, 4).tolist() == [3, 4, 25, 75]
    assert candidates(np.zeros(100), 4).tolist() == [12, 37, 62, 87]
    assert candidates(scores, 200).tolist() == list(range(100))


def test_a_deviation_is_counted_from_the_median_and_bounded():
    found = deviations(np.array([1.0, 2.0, 3.0, 4.0, 100.0]))

    assert found == pytest.approx([-1.0, -1 / 1.4826, 0.0, 1 / 1.4826, 4.0])
    assert deviations(np.array([0.0, 0.0, 0.0, 1.0]))[-1] == pytest.approx(1 / np.sqrt(3 / 16))
    assert deviations(np.full(4, 5.0)).tolist() == [0, 0, 0, 0]


def test_three_frames_are_averaged_and_the_edges_repeat():
    assert smooth(np.array([0.0, 4.0, 0.0, 0.0])).tolist() == [1, 2, 1, 0]


def test_the_rest():
    assert evenly(8, 2).tolist() == [2, 6]
    assert softmax(np.log(np.array([1.0, 3.0]))) == pytest.approx([0.25, 0.75])
    starts, lengths = bounds((Shot(0, 3), Shot(3, 8)))
    assert (starts.tolist(), lengths.tolist()) == ([0, 3], [3, 5])

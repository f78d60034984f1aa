"""Choices that keep frames apart, worked by hand."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pitwall_runtime.samplers.arithmetic.spread import farthest_first, fill_by_score, marginal_relevance


def column(*values):
    return np.array(values, dtype=np.float32)[:, None]


def test_filled_by_score_with_a_gap_until_none_is_left():
    falling = np.array([5.0, 4.0, 3.0, 2.0, 1.0, 0.0])

    assert fill_by_score(falling, np.array([0]), 3, gap_frames=2).tolist() == [0, 2, 4]
    assert fill_by_score(falling, np.array([0]), 5, gap_frames=3).tolist() == [0, 1, 2, 3, 4]
    assert fill_by_score(falling, np.array([], dtype=int), 2, gap_frames=9).tolist() == [0, 4]


def test_frames_that_are_worth_nothing_are_taken_last():
    scores = np.array([-np.inf, -np.inf, 1.0, -np.inf])

    assert fill_by_score(scores, np.array([], dtype=int), 3, gap_frames=2).tolist() == [0, 1, 2]


@given(
    scores=arrays.arrays(np.float64, st.integers(1, 40), elements=st.floats(-1, 1)),
    budget=st.integers(1, 50),
    gap=st.integers(0, 30),
    chosen=st.sets(st.integers(0, 39), max_size=5),
)
def test_exactly_the_budget_and_all_that_was_chosen(scores, budget, gap, chosen):
    before = np.array(sorted(one for one in chosen if one < len(scores)), dtype=int)
    filled = fill_by_score(scores, before, max(budget, len(before)), gap)

    assert len(filled) == min(max(budget, len(before)), len(scores))
    assert set(before) <= set(filled)


def test_farthest_first_goes_to_the_other_end_and_then_between():
    assert farthest_first(column(0, 1, 5, 6), 0, 4).tolist() == [0, 3, 1, 2]


def test_farthest_first_never_takes_a_row_twice():
    assert sorted(farthest_first(column(0, 0, 0), 1, 3).tolist()) == [0, 1, 2]


def test_marginal_relevance_leaves_the_twin_out():
    rows = np.eye(3, dtype=np.float32)[[0, 0, 1]]

    # 0.5 · 0.9 - 0.5 · 1 for the twin, 0.5 · 0.2 - 0 for the other
    assert marginal_relevance(np.array([1.0, 0.9, 0.2]), rows, 2, 0.5).tolist() == [0, 2]
    assert marginal_relevance(np.array([1.0, 0.9, 0.2]), rows, 2, 1.0).tolist() == [0, 1]

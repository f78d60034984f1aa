"""GIFT, worked by hand on a line."""

import numpy as np
import pytest

from pitwall_runtime.samplers.diversity.gift import choose, directed_diversity

LINE = np.array([[0.0], [0.1], [5.0], [5.2]], np.float32)
RELEVANCE = np.array([1.0, 0.9, 0.5, 0.2])


def test_distance_to_the_nearest_better_one_and_the_greatest_of_all_for_the_best():
    squares = ((LINE - LINE.T) ** 2).astype(np.float32)

    assert directed_diversity(squares) == pytest.approx([27.04, 0.01, 24.01, 0.04], rel=1e-4)


def test_relevance_times_distance_in_rounds():
    # 27.04, 0.009, 12.0, 0.008: the first and the third; then anew of the two that are left.
    assert choose(RELEVANCE, LINE, 2, round_size=2).tolist() == [0, 2]
    assert choose(RELEVANCE, LINE, 4, round_size=2).tolist() == [0, 2, 1, 3]
    assert choose(RELEVANCE, LINE, 2, round_size=1).tolist() == [0, 1]  # without frame 0, frame 1 is the best of all


def test_order_does_not_matter():
    turned = [2, 0, 3, 1]

    assert [turned[k] for k in choose(RELEVANCE[turned], LINE[turned], 3, 9)] == choose(RELEVANCE, LINE, 3, 9).tolist()

"""Quotas by largest remainder: nothing lost, nothing above what a segment holds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitwall_runtime.samplers.arithmetic.quotas import largest_remainders


@pytest.mark.parametrize(
    ("weights", "total", "capacities", "quotas"),
    [
        pytest.param([5, 3, 2], 7, [9, 9, 9], [4, 2, 1], id="3.5, 2.1 and 1.4: the half is rounded up"),
        pytest.param([1, 1, 1], 2, [9, 9, 9], [1, 1, 0], id="the earlier of equal remainders"),
        pytest.param([9, 1], 10, [3, 100], [3, 7], id="what does not fit goes on"),
        pytest.param([9, 1, 1], 9, [1, 100, 100], [1, 4, 4], id="and is shared by weight"),
        pytest.param([0, 0], 3, [5, 5], [2, 1], id="no weights are equal weights"),
        pytest.param([1, 0], 5, [2, 5], [2, 3], id="a segment without weight takes what nobody holds"),
        pytest.param([1, 1], 9, [2, 2], [2, 2], id="more than all hold"),
        pytest.param([1], 0, [2], [0], id="nothing to share"),
    ],
)
def test_shares(weights, total, capacities, quotas):
    assert largest_remainders(weights, total, np.array(capacities)).tolist() == quotas


@given(
    segments=st.lists(st.tuples(st.floats(0, 5), st.integers(0, 9)), min_size=1, max_size=20), total=st.integers(0, 99)
)
def test_the_whole_budget_and_never_too_much(segments, total):
    weights, capacities = np.array([one for one, _ in segments]), np.array([one for _, one in segments])
    quotas = largest_remainders(weights, total, capacities)

    assert quotas.sum() == min(total, capacities.sum())
    assert ((quotas >= 0) & (quotas <= capacities)).all()

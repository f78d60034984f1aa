"""Of very many damaged stretches a few are told, which leave out nothing that is damaged."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitwall_runtime.damage import MOST_TOLD, told
from pitwall_runtime.media import Damage


def apart(lengths):
    """Stretches of these tenths of a second, (whole, damaged) each, one after the other."""
    at, found = 0, []
    for whole, damaged in lengths:
        start = at + whole
        at = start + damaged
        found.append(Damage(start / 10, at / 10))
    return found


def test_a_few_are_told_as_they_are():
    few = apart([(3, 1)] * MOST_TOLD)
    assert told(few) == tuple(few)


def test_the_nearest_are_joined_and_say_what_they_are_joined_of():
    many = [Damage(0.0, 1.0), Damage(5.0, 6.0), Damage(6.5, 7.0), Damage(20.0, 21.0), Damage(22.0, 23.0)]
    assert told(many, 3) == (Damage(0.0, 1.0), Damage(5.0, 7.0, 2, 0.5), Damage(20.0, 23.0, 2, 1.0))
    assert told(told(many, 4), 2) == told(many, 2) == (Damage(0.0, 7.0, 3, 4.5), Damage(20.0, 23.0, 2, 1.0))


def test_where_all_are_as_near_what_is_joined_lies_evenly_over_the_video():
    assert {one.stretches for one in told(apart([(2, 1)] * 3000))} <= set(range(15, 33))


LENGTHS = st.lists(st.tuples(st.integers(1, 50), st.integers(1, 50)), max_size=40)


@given(LENGTHS, st.integers(1, 10))
def test_whatever_is_damaged_lies_within_what_is_told_and_number_and_sum_are_kept(lengths, most):
    found = apart(lengths)
    few = told(found, most)

    assert len(few) == min(most, len(found))
    assert all(earlier.end_seconds < later.start_seconds for earlier, later in pairwise(few))
    for stretch in found:
        assert any(one.start_seconds <= stretch.start_seconds and stretch.end_seconds <= one.end_seconds for one in few)
    assert sum(one.stretches for one in few) == len(found)
    assert sum(one.damaged_seconds for one in few) == pytest.approx(sum(one.damaged_seconds for one in found))

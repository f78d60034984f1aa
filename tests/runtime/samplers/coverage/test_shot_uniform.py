"""Shots have their share by length, and short ones are not skipped."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pitwall_runtime.media import Shot
from pitwall_runtime.samplers.coverage.shot_uniform import choose


def shots(*lengths):
    edges = np.concatenate([[0], np.cumsum(lengths)]).tolist()
    return tuple(Shot(start, end) for start, end in pairwise(edges))


def test_by_length_after_one_for_each():
    assert choose(shots(6, 2), 4).tolist() == [1, 3, 5, 7]
    assert choose(shots(1, 1, 18), 4).tolist() == [0, 1, 6, 15]


def test_with_fewer_frames_than_shots_the_longest_ones():
    assert choose(shots(2, 5, 1, 4), 2).tolist() == [4, 10]


@given(lengths=st.lists(st.integers(1, 30), min_size=1, max_size=20), part=st.floats(0.01, 1))
def test_every_shot_is_seen_when_there_are_frames_enough(lengths, part):
    some = shots(*lengths)
    budget = max(1, int(sum(lengths) * part))
    chosen = choose(some, budget)
    seen = sum(any(shot.start <= frame < shot.end for frame in chosen) for shot in some)

    assert len(set(chosen.tolist())) == budget
    assert seen == min(budget, len(lengths))

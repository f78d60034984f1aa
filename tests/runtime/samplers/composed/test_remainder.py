"""What a search did not find is completed."""

import numpy as np

from pitwall_runtime.samplers.composed.remainder import completed
from pitwall_runtime.samplers.offline import offline_context

SCORES = np.random.default_rng(0).uniform(size=100).astype(np.float32)


def complete(found, unwanted=(), budget=8):
    return completed(found, unwanted, SCORES, offline_context(SCORES, budget)).tolist()


def test_the_first_of_too_many_are_enough():
    assert complete([9, 3, 50], budget=2) == [9, 3]


def test_all_that_was_found_and_none_that_was_not_wanted():
    usual = complete([])
    chosen = complete([40], unwanted=usual[:4])

    assert len(set(chosen)) == 8
    assert 40 in chosen
    assert not set(usual[:4]) & set(chosen)


def test_unwanted_frames_are_better_than_none():
    assert complete([], unwanted=list(range(100)), budget=100) == list(range(100))

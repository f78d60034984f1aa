"""The greedy volume is that of the determinant."""

import numpy as np
import pytest

from pitwall_runtime.samplers.arithmetic.volume import RIDGE, greedy_volume


def rows(count, dimension=12, seed=3):
    return np.random.default_rng(seed).normal(size=(count, dimension))


def log_volume(some):
    return np.linalg.slogdet(some @ some.T + RIDGE * np.eye(len(some)))[1]


def by_definition(some, count, bonus):
    chosen = []
    for _ in range(count):
        left = [one for one in range(len(some)) if one not in chosen]
        before = log_volume(some[chosen]) if chosen else 0.0
        chosen.append(max(left, key=lambda one: log_volume(some[[*chosen, one]]) - before + bonus[one]))
    return chosen


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("weight", [0.0, 3.0])
def test_each_choice_adds_most_volume_and_bonus(seed, weight):
    some = rows(30, seed=seed)
    bonus = weight * np.random.default_rng(seed).uniform(size=30)

    assert greedy_volume(some, 8, bonus).tolist() == by_definition(some, 8, bonus)


def test_twins_and_more_rows_than_dimensions():
    picks = greedy_volume(np.repeat(rows(3, 2), 4, axis=0), 9)

    assert len(set(picks.tolist())) == 9
    assert picks[0] // 4 != picks[1] // 4

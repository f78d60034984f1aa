"""MDP3 finds what its definition finds, computed the slow way."""

from functools import partial

import numpy as np
import pytest

from pitwall_runtime.samplers.diversity.mdp3 import Mdp3Parameters, choose, kernel


def some(count, seed, dimension=8):
    generator = np.random.default_rng(seed)
    rows = generator.normal(size=(count, dimension))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    question = rows[0] + generator.normal(size=dimension) * 0.3
    question /= np.linalg.norm(question)
    return (rows @ question).astype(np.float32), rows.astype(np.float32)


def by_definition(scores, rows, budget, stretch, diversity=0.2):
    """Dynamic programming over stretches; inside, greedy by determinants, the last frame before given."""
    rows = rows.astype(float)
    likeness = kernel(np.maximum(2 - 2 * rows @ rows.T, 0))
    relevance = 2 / diversity * np.log(kernel(2 - 2 * scores.astype(float)))
    best = {0: (0.0, [])}
    for start in range(0, len(rows), stretch):
        frames = range(start, min(start + stretch, len(rows)))
        extended = dict(best)
        for number, (value, picks) in best.items():
            for more, (gain, chosen) in enumerate(greedy(likeness, relevance, picks[-1:], frames)):
                total = number + more
                if total <= budget and (total not in extended or value + gain > extended[total][0]):
                    extended[total] = (value + gain, picks + sorted(chosen))
        best = extended
    return best[budget][1]


def greedy(likeness, relevance, given, frames):
    volume = partial(log_volume, likeness)
    chosen, found = [], [(0.0, [])]
    while len(chosen) < len(frames):
        left = [frame for frame in frames if frame not in chosen]
        chosen = [*chosen, max(left, key=lambda one: volume([*given, *chosen, one]) + relevance[one])]
        found.append((volume([*given, *chosen]) - volume(given) + relevance[chosen].sum(), chosen))
    return found


def log_volume(likeness, frames):
    return np.linalg.slogdet(likeness[np.ix_(frames, frames)])[1] if frames else 0.0


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("count", "budget", "stretch"), [(12, 5, 4), (13, 6, 5), (9, 4, 32), (10, 10, 3)])
def test_the_same_as_by_definition(seed, count, budget, stretch):
    scores, rows = some(count, seed)
    parameters = Mdp3Parameters(stretch_frames=stretch)

    assert choose(scores, rows, budget, parameters).tolist() == sorted(by_definition(scores, rows, budget, stretch))


def test_twins_are_not_both_taken():
    scores, rows = some(20, 1)
    rows[7], scores[7] = rows[0], scores[0]
    chosen = choose(scores, rows, 5, Mdp3Parameters(diversity="100", stretch_frames=20))

    assert not {0, 7} <= set(chosen.tolist())


def test_the_kernel_is_a_sum_of_five_gaussians():
    assert kernel(np.array([0.0])).tolist() == [5]
    assert kernel(np.array([2.0])) == pytest.approx(np.exp(-8) + np.exp(-4) + np.exp(-2) + np.exp(-1) + np.exp(-0.5))

"""Quota, the default: greedy coverage, a second moment before a second frame, even where it knows nothing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitwall_crds.variant.variant import SamplerSpec
from pitwall_runtime.media import Shot
from pitwall_runtime.samplers.catalogue import build
from pitwall_runtime.samplers.offline import offline_context
from pitwall_runtime.samplers.segments.quota import cover, pieces


def rows(count):
    found = np.random.default_rng(0).normal(size=(count, 16)).astype(np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def choose(scores, budget, name="quota", shots=(), **parameters):
    context = offline_context(scores, budget, embeddings=rows(len(scores)), shots=shots)
    return build(SamplerSpec(name=name, parameters=parameters)).choose(context).indices


def quiet(count=1200, seed=0):
    return np.random.default_rng(seed).normal(0, 0.02, count)


def test_shots_are_cut_where_they_are_long():
    assert pieces((Shot(0, 3), Shot(3, 13), Shot(13, 14)), 5).tolist() == [0, 3, 8, 13, 14]
    assert pieces((Shot(0, 7),), 3).tolist() == [0, 2, 4, 7]


@given(
    gaps=st.lists(st.floats(0.1, 20), min_size=1, max_size=25),
    weights=st.lists(st.floats(0.1, 9), min_size=25, max_size=25),
    part=st.floats(0.1, 1),
)
def test_coverage_is_greedy_as_defined(gaps, weights, part):
    seconds, reach = np.cumsum(gaps), 15.0
    left = np.array(weights[: len(seconds)])
    share = np.clip(1 - np.abs(seconds[:, None] - seconds) / reach, 0, 1)
    count = max(1, int(len(seconds) * part))
    picks = cover(seconds, left.copy(), count, reach)

    assert len(set(picks.tolist())) == count
    for step, pick in enumerate(picks):
        gains = share @ left
        gains[picks[:step]] = -np.inf
        assert gains[pick] == pytest.approx(gains.max(), rel=1e-9, abs=1e-9)
        left = left * (1 - share[pick])


def test_the_second_moment_comes_before_the_second_frame_of_the_first():
    scores = quiet()
    scores[300:310] += 0.5
    scores[900:910] += 0.3
    chosen = choose(scores, 2)

    assert any(300 <= frame < 310 for frame in chosen)
    assert any(900 <= frame < 910 for frame in chosen)
    assert all(300 <= frame < 310 for frame in choose(scores, 2, "topk"))


def test_a_flat_curve_is_covered_evenly():
    assert choose(np.full(800, 0.25), 4) == (100, 300, 500, 700)


def test_no_sharpness_covers_all_alike():
    scores = quiet()
    scores[300:310] += 0.5
    gaps = np.diff(choose(scores, 24, sharpness="0"))

    assert gaps.max() <= 6 * 1200 // 24


def test_one_outlier_does_not_swallow_the_budget():
    scores = quiet()
    scores[600] = 1e6
    scores[200:212] += 0.3
    chosen = choose(scores, 4)

    assert any(200 <= frame < 212 for frame in chosen)


def test_more_frames_than_pieces_are_those_that_differ_in_each():
    one_shot_each = tuple(Shot(start, start + 4) for start in range(0, 16, 4))
    chosen = choose(np.random.default_rng(3).uniform(size=16), 12, shots=one_shot_each)

    assert len(chosen) == 12
    assert set(np.bincount(np.array(chosen) // 4)) <= {1, 2, 3, 4}


def test_embeddings_are_asked_for_only_where_they_decide():
    class CountedRows:
        asked = 0

        def embeddings(self, indices):
            self.asked += 1
            return rows(1200)[indices]

        def scores(self, indices, query):
            return quiet().astype(np.float32)

    features = CountedRows()
    build(SamplerSpec(name="quota")).choose(offline_context(np.zeros(1200), 16, features=features))

    assert features.asked == 0

"""What every sampler keeps for any scores, any embeddings and any budget, by property."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pitwall_crds.variant import SamplerSpec
from pitwall_runtime.media import Shot
from pitwall_runtime.samplers.aks import AksParameters, Leaf, _quotas, _split
from pitwall_runtime.samplers.catalogue import SAMPLERS, build
from pitwall_runtime.samplers.contract import FeatureSource, SamplerContext
from pitwall_runtime.samplers.topk import best
from pitwall_runtime.samplers.uniform import spread

pytestmark = pytest.mark.filterwarnings("ignore:All-NaN")
POOL = st.integers(1, 150)
ANY = st.one_of(st.just(float("nan")), st.floats(-1, 1, width=32))


def context(scores, rows, budget: int, seed: int = 0) -> SamplerContext:
    source = FeatureSource(lambda: rows, lambda: scores)
    return SamplerContext(np.arange(len(scores), dtype=float), (Shot(0, len(scores)),), budget, seed, source)


@st.composite
def pools(draw):
    """Scores with holes, and embeddings of which some are equal and some are nothing."""
    count = draw(POOL)
    scores = draw(arrays.arrays(np.float32, count, elements=ANY))
    kinds = draw(st.integers(1, 6))
    rows = np.random.default_rng(draw(st.integers(0, 9))).normal(size=(kinds, 8)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    rows[0] *= draw(st.sampled_from([0.0, 1.0]))
    return scores, rows[np.arange(count) % kinds]


@settings(max_examples=120, deadline=None)
@given(pool=pools(), budget=st.integers(1, 200), seed=st.integers(0, 3), name=st.sampled_from(sorted(SAMPLERS)))
def test_sorted_unique_in_range_exactly_the_budget_and_the_same_again(pool, budget, seed, name):
    scores, rows = pool
    first, second = (build(SamplerSpec(name=name))(context(scores, rows, budget, seed)).indices for _ in range(2))

    assert list(first) == sorted(set(first))
    assert len(first) == min(budget, len(scores))
    assert 0 <= first[0] <= first[-1] < len(scores)
    assert first == second


@settings(max_examples=40, deadline=None)
@given(pool=pools(), name=st.sampled_from(sorted(SAMPLERS)))
def test_a_budget_of_one_and_a_budget_beyond_the_pool(pool, name):
    scores, rows = pool
    choose = build(SamplerSpec(name=name))

    assert len(choose(context(scores, rows, 1))) == 1
    assert choose(context(scores, rows, len(scores) + 1)).indices == tuple(range(len(scores)))


@given(
    scores=arrays.arrays(np.float32, st.integers(1, 60), elements=st.floats(-1, 1, width=32)), count=st.integers(1, 60)
)
def test_no_frame_that_topk_leaves_out_is_better_than_one_that_it_takes(scores, count):
    taken = best(scores, min(count, len(scores)))
    left = [index for index in range(len(scores)) if index not in taken]

    assert not left or scores[left].max() <= scores[taken].min()


@given(start=st.integers(0, 50), length=st.integers(1, 200), part=st.floats(0.01, 1))
def test_uniform_frames_are_as_far_apart_as_they_can_be(start, length, part):
    count = max(1, int(length * part))
    chosen = spread(start, start + length, count)
    gaps = np.diff(chosen)

    assert chosen[0] >= start
    assert chosen[-1] < start + length
    assert len(gaps) == 0 or gaps.max() - gaps.min() <= 1


@given(
    scores=arrays.arrays(np.float32, st.integers(1, 300), elements=st.floats(0, 1, width=32)),
    budget=st.integers(1, 64),
    depth=st.integers(0, 10),
)
def test_the_leaves_of_aks_tile_the_pool_and_share_the_whole_budget(scores, budget, depth):
    budget = min(budget, len(scores))
    leaves = _split(scores, budget, AksParameters(max_depth=depth))
    quotas = _quotas(leaves, budget)

    assert (leaves[0].start, leaves[-1].end) == (0, len(scores))
    assert all(one.end == two.start for one, two in pairwise(leaves))
    assert sum(quotas) == budget
    assert all(0 <= quota <= leaf.end - leaf.start for quota, leaf in zip(quotas, leaves, strict=True))


def test_a_leaf_that_is_too_small_gives_its_share_to_the_others():
    assert _quotas([Leaf(0, 1, 1), Leaf(1, 100, 1)], 8) == [1, 7]


@pytest.mark.parametrize(
    ("raw", "seen"),
    [
        pytest.param([0.5, np.nan, -0.5], [0.5, -0.5, -0.5], id="a hole counts as the least"),
        pytest.param([np.nan, np.nan], [0, 0], id="nothing but holes"),
        pytest.param([0.25], [0.25], id="one"),
    ],
)
def test_scores_have_no_holes(raw, seen):
    assert context(np.array(raw), None, 1).scores().tolist() == seen


def test_the_same_question_draws_the_same_numbers():
    one, other = (context(np.zeros(3), None, 1, seed) for seed in (7, 8))

    assert one.random().random(4).tolist() == one.random().random(4).tolist() != other.random().random(4).tolist()

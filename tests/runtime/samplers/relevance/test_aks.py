"""AKS splits until a stretch has a peak, and gives back the whole budget where the published form loses frames."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pitwall_crds.variant import SamplerSpec
from pitwall_runtime.samplers.catalogue import build
from pitwall_runtime.samplers.offline import offline_context
from pitwall_runtime.samplers.relevance.aks import AksParameters, Leaf, _quotas, _split


def curve(length, *peaks):
    scores = np.random.default_rng(3).uniform(0, 0.1, length)
    for peak in peaks:
        scores[peak : peak + 3] += 1.0
    return scores


def choose(scores, budget, **parameters):
    return build(SamplerSpec(name="aks", parameters=parameters)).choose(offline_context(scores, budget)).indices


@pytest.mark.parametrize("budget", [8, 10, 16, 24, 32, 48, 50, 64, 100])
def test_aks_returns_every_frame_of_the_budget_where_the_published_form_returns_none_or_fewer(budget):
    assert len(choose(curve(3600, 10, 2000), budget)) == budget


def test_aks_stops_at_a_clear_peak_and_spreads_where_there_is_none():
    peaked = choose(np.eye(1, 512, 100)[0] + curve(512, 100, 101, 102), 4, peakThreshold="0.5")
    flat = choose(np.linspace(0, 1, 512), 4, peakThreshold="0.5")

    assert set(peaked) <= set(range(98, 108))
    assert [index // 128 for index in flat] == [0, 1, 2, 3]


def test_aks_without_depth_is_topk():
    scores = curve(300, 20, 200)
    topk = build(SamplerSpec(name="topk")).choose(offline_context(scores, 9)).indices

    assert choose(scores, 9, maxDepth=0) == topk


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

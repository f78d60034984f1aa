"""AKS splits until a stretch has a peak, and gives back the whole budget where the published form loses frames."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pitwall_crds.variant.variant import SamplerSpec
from pitwall_runtime.samplers.arithmetic.curve import unit_range
from pitwall_runtime.samplers.catalogue import build
from pitwall_runtime.samplers.offline import offline_context
from pitwall_runtime.samplers.relevance.aks import AksParameters, split


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
def test_the_leaves_of_aks_tile_the_pool_and_are_halved_while_they_have_no_peak(scores, budget, depth):
    budget = min(budget, len(scores))
    normal = unit_range(scores)
    leaves = split(normal, budget, AksParameters(max_depth=depth))

    assert (leaves.edges.tolist(), leaves.depths.tolist()) == by_definition(normal, budget, depth)


def by_definition(normal, budget, depth):
    """Judge and split, one stretch after the other: the edges and depths of the leaves in time order."""
    deepest = min(depth, budget.bit_length() - 1)
    stack, edges, depths = [(0, len(normal), 0)], [0], []
    while stack:
        start, end, at = stack.pop()
        stretch = np.sort(normal[start:end])[::-1]
        if at >= deepest or end - start < 2 or stretch[:budget].mean() - stretch.mean() > 0.8:
            edges.append(end)
            depths.append(at)
            continue
        middle = (start + end) // 2
        stack += [(middle, end, at + 1), (start, middle, at + 1)]
    return edges, depths


def test_a_leaf_takes_its_best_frames():
    # No peak at depth 0 or 1, so four leaves of three frames, and K = 4 gives one to each.
    assert choose(np.array([0, 0.2, 0.1, 0.5, 0.4, 0.6, 1.0, 0.9, 0.8, 0.3, 0.3, 0.2]), 4) == (1, 5, 6, 9)

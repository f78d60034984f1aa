"""Every built-in sampler keeps the contract: in the suite that plug-ins pass, and by property."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pitwall_crds.variant.variant import SamplerSpec
from pitwall_runtime.plugins.conformance import conform
from pitwall_runtime.plugins.suite.rules import SuiteLimits
from pitwall_runtime.samplers.catalogue import BUILT_IN, build, find
from pitwall_runtime.samplers.offline import offline_context

NAMES = sorted(BUILT_IN)
ANY = st.one_of(st.sampled_from([float("nan"), float("inf"), float("-inf")]), st.floats(-1, 1, width=32))


def unit_rows(count, kinds=16, dimension=16):
    rows = np.random.default_rng(7).normal(size=(kinds, dimension)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows[np.arange(count) % kinds]


@st.composite
def pools(draw):
    """Scores with holes, and embeddings of which some are equal and some are nothing."""
    scores = draw(arrays.arrays(np.float32, draw(st.integers(1, 150)), elements=ANY))
    rows = unit_rows(len(scores), draw(st.integers(1, 6)), 8)
    rows[0] *= draw(st.sampled_from([0.0, 1.0]))
    return scores, rows


@settings(max_examples=200, deadline=None)
@given(pool=pools(), budget=st.integers(1, 200), seed=st.integers(0, 3), name=st.sampled_from(NAMES))
def test_sorted_unique_in_range_exactly_the_budget_and_the_same_again(pool, budget, seed, name):
    scores, rows = pool
    choose = build(SamplerSpec(name=name)).choose
    first, second = (choose(offline_context(scores, budget, embeddings=rows, seed=seed)).indices for _ in range(2))

    assert list(first) == sorted(set(first))
    assert len(first) == min(budget, len(scores))
    assert 0 <= first[0] <= first[-1] < len(scores)
    assert first == second


@settings(max_examples=60, deadline=None)
@given(pool=pools(), name=st.sampled_from(NAMES))
def test_a_budget_of_one_and_a_budget_beyond_the_pool(pool, name):
    scores, rows = pool
    choose = build(SamplerSpec(name=name)).choose

    assert len(choose(offline_context(scores, 1, embeddings=rows))) == 1
    whole = choose(offline_context(scores, len(scores) + 1, embeddings=rows))
    assert whole.indices == tuple(range(len(scores)))
    assert whole.pts_seconds == tuple(map(float, range(len(scores))))


@pytest.mark.parametrize("name", NAMES)
def test_it_passes_the_suite_that_plug_ins_pass(name):
    assert conform(find(name), SuiteLimits(ten_hours_seconds=60)).findings == ()

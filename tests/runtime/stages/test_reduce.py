"""Tokens fit the budget and keep the mean."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pitwall_runtime.errors import BadVariantError
from pitwall_runtime.stages.reduce import build, keep_all, pool


def grids(frames, side):
    return np.random.default_rng(1).normal(size=(frames, side, side, 5)).astype(np.float16)


@pytest.mark.parametrize(
    ("frames", "side", "budget", "kept", "count"),
    [
        pytest.param(8, 4, 2048, 4, 128, id="budget-larger-than-needed"),
        pytest.param(8, 4, 128, 4, 128, id="exactly"),
        pytest.param(8, 4, 127, 3, 72, id="one-too-few"),
        pytest.param(8, 4, 40, 2, 32, id="half"),
        pytest.param(8, 7, 8, 1, 8, id="one-token-a-frame"),
        pytest.param(8, 4, 3, 1, 3, id="fewer-tokens-than-frames"),
        pytest.param(1, 7, 1, 1, 1, id="one-frame-one-token"),
    ],
)
def test_pooling_fits_the_budget(frames, side, budget, kept, count):
    tokens = pool(grids(frames, side), budget)
    assert (tokens.side, tokens.count) == (kept, count)
    assert tokens.count <= budget


@pytest.mark.parametrize(("side", "kept"), [(4, 3), (7, 3), (7, 4), (5, 1), (6, 6)])
def test_pooling_is_adaptive_average_pooling(side, kept):
    source = grids(3, side)
    ours = pool(source, 3 * kept * kept).values
    theirs = torch.nn.functional.adaptive_avg_pool2d(torch.from_numpy(source).float().permute(0, 3, 1, 2), kept)
    np.testing.assert_allclose(ours, theirs.permute(0, 2, 3, 1).reshape(-1, 5).numpy(), atol=1e-6)


def test_none_keeps_every_token():
    assert keep_all(grids(8, 4), 1).count == 128


def test_an_unknown_reducer_is_told_which_there_are():
    with pytest.raises(BadVariantError, match="choose one of none, pool"):
        build("tome")


@settings(max_examples=80, deadline=None)
@given(frames=st.integers(1, 40), side=st.integers(1, 7), budget=st.integers(1, 600))
def test_any_budget_is_kept_and_never_wasted_on_fewer_than_it_could_hold(frames, side, budget):
    tokens = pool(grids(frames, side), budget)

    assert 1 <= tokens.count <= min(budget, frames * side * side)
    if budget < frames:
        assert (tokens.count, tokens.side) == (budget, 1)
    else:
        larger = tokens.side + 1
        assert tokens.count == frames * tokens.side**2
        assert tokens.side == side or frames * larger**2 > budget


@settings(max_examples=40, deadline=None)
@given(frames=st.integers(1, 12), side=st.integers(1, 6), budget=st.integers(1, 200), value=st.floats(-4, 4, width=16))
def test_tokens_of_one_value_keep_it(frames, side, budget, value):
    same = np.full((frames, side, side, 3), value, np.float16)

    np.testing.assert_allclose(pool(same, budget).values, float(np.float16(value)), rtol=1e-3, atol=1e-6)


@settings(max_examples=80, deadline=None)
@given(tiers=st.lists(st.integers(0, 4), min_size=1, max_size=20), side=st.integers(1, 7), budget=st.integers(20, 600))
def test_frames_of_lower_tiers_are_smaller_and_the_rest_gets_what_they_save(tiers, side, budget):
    source = grids(len(tiers), side)
    tokens, plain = pool(source, budget, tiers), pool(source, budget)

    assert tokens.count == sum(tokens.per_frame) <= budget
    assert [max(1, tokens.side >> tier) ** 2 for tier in tiers] == list(tokens.per_frame)
    assert tokens.side >= plain.side


def test_a_frames_tokens_do_not_depend_on_the_others_tiers():
    source = grids(3, 4)
    mixed = pool(source, 24, (0, 1, 1)).values

    np.testing.assert_allclose(mixed[:16], pool(source[:1], 16).values)
    np.testing.assert_allclose(mixed[16:20], pool(source[1:2], 4).values)


def test_where_frames_merge_each_counts_once():
    source = np.arange(6, dtype=np.float16).reshape(6, 1, 1, 1)

    assert pool(source, 3).values.ravel().tolist() == [0.5, 2.5, 4.5]

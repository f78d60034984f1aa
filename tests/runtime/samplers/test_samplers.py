"""Every sampler keeps the contract on every awkward input; each does what its paper says."""

import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pitwall_crds.variant import SamplerSpec
from pitwall_runtime.errors import BadVariantError
from pitwall_runtime.media import Selection, Shot
from pitwall_runtime.samplers.catalogue import SAMPLERS, build, check
from pitwall_runtime.samplers.contract import FeatureSource, SamplerContext

NAMES = sorted(SAMPLERS)


def context(scores, max_frames, *, seed=0):
    """A pool of len(scores) frames with embeddings that go with the scores."""
    scores = np.asarray(scores, np.float32)
    rows = np.random.default_rng(7).normal(size=(len(scores), 16)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    shots = (Shot(0, len(scores)),)
    source = FeatureSource(lambda: rows, lambda: scores)
    return SamplerContext(np.arange(len(scores), dtype=float), shots, max_frames, seed, source)


def asking(whole):
    """The same pool, and the list of what is asked of it."""
    asked = []

    def told(name, answer):
        return lambda: asked.append(name) or answer()

    source = FeatureSource(told("embeddings", whole.source.embeddings), told("scores", whole.source.scores))
    return replace(whole, source=source), asked


def curve(length, *peaks):
    scores = np.random.default_rng(3).uniform(0, 0.1, length)
    for peak in peaks:
        scores[peak : peak + 3] += 1.0
    return scores


AWKWARD = [
    pytest.param(curve(597, 90, 400), 8, id="a-film"),
    pytest.param(curve(597, 90), 1, id="one-frame"),
    pytest.param(curve(597, 90), 7, id="budget-not-a-power-of-two"),
    pytest.param(curve(597, 90), 50, id="budget-that-loses-frames-in-the-published-aks"),
    pytest.param(curve(5, 1), 8, id="fewer-frames-than-budget"),
    pytest.param(curve(8, 1), 8, id="as-many-frames-as-budget"),
    pytest.param(np.array([0.3]), 4, id="a-pool-of-one"),
    pytest.param(np.full(100, 0.25), 8, id="constant-scores"),
    pytest.param(np.full(100, np.nan), 8, id="all-nan"),
    pytest.param(np.where(np.arange(100) % 3, 0.5, np.nan), 8, id="some-nan"),
    pytest.param(np.full(100, -np.inf), 8, id="minus-infinity"),
    pytest.param(np.linspace(0, 1, 64), 10, id="rising"),
]


@pytest.mark.filterwarnings("ignore:All-NaN")
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("scores", "max_frames"), AWKWARD)
def test_exactly_the_budget_sorted_unique_in_range_and_repeatable(name, scores, max_frames):
    choose = build(SamplerSpec(name=name))
    first, second = choose(context(scores, max_frames)), choose(context(scores, max_frames))
    assert len(first) == min(max_frames, len(scores))
    assert set(first.indices) <= set(range(len(scores)))
    assert first.indices == second.indices


@settings(max_examples=60, deadline=None)
@given(
    scores=st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=120),
    max_frames=st.integers(1, 64),
    name=st.sampled_from(NAMES),
)
def test_the_contract_holds_for_any_scores(scores, max_frames, name):
    chosen = build(SamplerSpec(name=name))(context(scores, max_frames))
    assert len(chosen) == min(max_frames, len(scores))


@pytest.mark.parametrize("budget", [8, 10, 16, 24, 32, 48, 50, 64, 100])
def test_aks_returns_every_frame_of_the_budget_where_the_published_form_returns_none_or_fewer(budget):
    assert len(build(SamplerSpec(name="aks"))(context(curve(3600, 10, 2000), budget))) == budget


def test_aks_stops_at_a_clear_peak_and_spreads_where_there_is_none():
    aks = build(SamplerSpec(name="aks", parameters={"peakThreshold": "0.5"}))
    peaked = aks(context(np.eye(1, 512, 100)[0] + curve(512, 100, 101, 102), 4))
    assert set(peaked.indices) <= set(range(98, 108))
    flat = aks(context(np.linspace(0, 1, 512), 4))
    assert [index // 128 for index in flat.indices] == [0, 1, 2, 3]


def test_aks_without_depth_is_topk():
    scores = curve(300, 20, 200)
    aks = build(SamplerSpec(name="aks", parameters={"maxDepth": 0}))
    assert aks(context(scores, 9)).indices == build(SamplerSpec(name="topk"))(context(scores, 9)).indices


def test_topk_takes_the_best():
    assert build(SamplerSpec(name="topk"))(context([0.1, 0.9, 0.2, 0.8, 0.3], 2)).indices == (1, 3)


def test_uniform_takes_midpoints_and_asks_for_nothing():
    pool, asked = asking(context(curve(80, 4), 4))
    assert build(SamplerSpec(name="uniform"))(pool).indices == (10, 30, 50, 70)
    assert asked == []


def test_dpp_asks_for_each_thing_once():
    pool, asked = asking(context(curve(80, 4), 4))
    build(SamplerSpec(name="dpp"))(pool)
    assert sorted(asked) == ["embeddings", "scores"]


@pytest.mark.parametrize("sharpness", ["0", "2.5", "8"])
def test_dpp_finds_the_same_frames_by_both_arithmetics(sharpness):
    fast = build(SamplerSpec(name="dpp", parameters={"sharpness": sharpness}))
    exact = build(SamplerSpec(name="dpp", parameters={"sharpness": sharpness, "exact": True}))
    scores = np.random.default_rng(1).uniform(-0.2, 0.5, 200)
    assert fast(context(scores, 8)).indices == exact(context(scores, 8)).indices


def test_dpp_avoids_the_twin_that_topk_takes():
    rows = np.eye(6, dtype=np.float32)
    rows[1] = rows[0]
    scores = np.array([0.9, 0.9, 0.5, 0.4, 0.1, 0.1], np.float32)
    source = FeatureSource(lambda: rows, lambda: scores)
    pool = SamplerContext(np.arange(6.0), (Shot(0, 6),), 2, 0, source)
    assert build(SamplerSpec(name="topk"))(pool).indices == (0, 1)
    assert build(SamplerSpec(name="dpp"))(pool).indices == (0, 2)


def test_the_exact_dpp_really_does_more_work():
    scores = np.random.default_rng(1).uniform(-0.2, 0.5, 400)

    def seconds(**parameters):
        choose = build(SamplerSpec(name="dpp", parameters=parameters))
        started = time.process_time()
        choose(context(scores, 8))
        return time.process_time() - started

    assert seconds(exact=True) > 3 * min(seconds() for _ in range(3))


@pytest.mark.parametrize(
    ("name", "parameters", "words"),
    [
        pytest.param("akz", {}, "unknown sampler 'akz'; choose one of aks, dpp, topk, uniform", id="unknown-sampler"),
        pytest.param("aks", {"peakThreshold": "1.5"}, "peakThreshold = '1.5'", id="too-large"),
        pytest.param("aks", {"maxDepth": 99}, "maxDepth = 99", id="too-deep"),
        pytest.param("aks", {"peak": "0.5"}, "parameter peak", id="unknown-parameter"),
        pytest.param("uniform", {"x": 1}, "parameter x", id="parameter-where-none-is"),
        pytest.param("dpp", {"sharpness": "many"}, "sharpness = 'many'", id="no-number"),
    ],
)
def test_a_wrong_variant_is_told_what_would_be_right(name, parameters, words):
    with pytest.raises(BadVariantError) as refusal:
        build(SamplerSpec(name=name, parameters=parameters))
    assert words in refusal.value.message


@pytest.mark.parametrize("indices", [(0, 1), (0, 1, 2, 99)])
def test_a_sampler_that_breaks_the_contract_is_caught(indices):
    with pytest.raises(BadVariantError, match="must choose exactly 4 of 80"):
        check(Selection(indices), context(curve(80, 4), 4))


def test_ten_hours_of_video_are_chosen_from_within_a_blink():
    scores = curve(36_000, 90, 30_000)
    for name in NAMES:
        started = time.process_time()
        build(SamplerSpec(name=name))(context(scores, 64))
        assert time.process_time() - started < 2.0, name

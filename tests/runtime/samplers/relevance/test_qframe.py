"""Q-Frame draws by relevance, the same for the same question, and gives the first frames more pixels."""

import numpy as np
import pytest

from pitwall_crds.variant.variant import SamplerSpec
from pitwall_runtime.samplers.catalogue import build
from pitwall_runtime.samplers.offline import offline_context
from pitwall_runtime.samplers.relevance.qframe import QFrameParameters, draw, tiers

SCORES = np.random.default_rng(2).uniform(0, 0.3, 600).astype(np.float32)


@pytest.mark.parametrize(("budget", "counts"), [(44, [4, 8, 32]), (11, [1, 2, 8]), (1, [0, 0, 1]), (64, [6, 12, 46])])
def test_tiers_are_shared_as_4_to_8_to_32(budget, counts):
    assert np.bincount(tiers(budget, QFrameParameters()), minlength=3).tolist() == counts


def test_the_most_relevant_frames_have_the_most_pixels():
    parameters = {"candidates": 600, "temperature": "0.00001"}
    context = offline_context(SCORES, 11, seed=5)
    chosen = build(SamplerSpec(name="qframe", parameters=parameters)).choose(context)
    scores, found = SCORES[list(chosen.indices)], np.array(chosen.tiers)
    by_tier = [scores[found == tier] for tier in range(3)]

    assert set(chosen.indices) == set(np.argsort(-SCORES)[:11].tolist())  # cold draws are top-k
    assert by_tier[0].min() >= by_tier[1].max() >= by_tier[1].min() >= by_tier[2].max()


def test_only_the_evenly_spread_candidates_are_drawn():
    drawn = draw(SCORES, 44, QFrameParameters(), np.random.default_rng(1))

    assert set(drawn.tolist()) <= set(((2 * np.arange(128) + 1) * 600 // 256).tolist())


def test_odds_are_those_of_the_softmax():
    scores = np.log(np.array([1.0, 2.0, 5.0])).astype(np.float32)
    parameters = QFrameParameters(temperature="1", logit_scale="1")
    first = [int(draw(scores, 1, parameters, np.random.default_rng(seed))[0]) for seed in range(4000)]

    assert np.bincount(first) / 4000 == pytest.approx([1 / 8, 2 / 8, 5 / 8], abs=0.03)


def test_another_question_draws_others():
    one, same, other = (
        build(SamplerSpec(name="qframe")).choose(offline_context(SCORES, 16, seed=seed)).indices for seed in (1, 1, 2)
    )

    assert one == same != other

"""The determinantal point process avoids twins, and finds the same frames by both arithmetics."""

import time

import numpy as np
import pytest

from pitwall_crds.variant.variant import SamplerSpec
from pitwall_runtime.samplers.catalogue import build
from pitwall_runtime.samplers.offline import ArrayFeatures, offline_context


def rows(count):
    found = np.random.default_rng(7).normal(size=(count, 16)).astype(np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def choose(context, name="dpp", **parameters):
    return build(SamplerSpec(name=name, parameters=parameters)).choose(context).indices


class CountedFeatures(ArrayFeatures):
    """Features that keep a list of what is asked of them."""

    asked: tuple[str, ...] = ()

    def embeddings(self, indices):
        self.asked += ("embeddings",)
        return super().embeddings(indices)

    def scores(self, indices, query):
        self.asked += ("scores",)
        return super().scores(indices, query)


def test_dpp_asks_for_each_thing_once():
    features = CountedFeatures(np.linspace(0, 1, 80), rows(80))
    choose(offline_context(np.zeros(80), 4, features=features))

    assert sorted(features.asked) == ["embeddings", "scores"]


@pytest.mark.parametrize("sharpness", ["0", "2.5", "8"])
def test_dpp_finds_the_same_frames_by_both_arithmetics(sharpness):
    context = offline_context(np.random.default_rng(1).uniform(-0.2, 0.5, 200), 8, embeddings=rows(200))

    assert choose(context, sharpness=sharpness) == choose(context, sharpness=sharpness, exact=True)


def test_dpp_avoids_the_twin_that_topk_takes():
    twins = np.eye(6, dtype=np.float32)
    twins[1] = twins[0]
    context = offline_context([0.9, 0.9, 0.5, 0.4, 0.1, 0.1], 2, embeddings=twins)

    assert choose(context, "topk") == (0, 1)
    assert choose(context, "dpp") == (0, 2)


def test_the_exact_dpp_really_does_more_work():
    context = offline_context(np.random.default_rng(1).uniform(-0.2, 0.5, 400), 8, embeddings=rows(400))

    def seconds(**parameters):
        started = time.process_time()
        choose(context, **parameters)
        return time.process_time() - started

    assert seconds(exact=True) > 3 * min(seconds() for _ in range(3))

"""AdaRD-Key weighs volume by how clear the question is, and forgets relevance where nothing matches."""

import numpy as np
import pytest

from pitwall_crds.variant.variant import SamplerSpec
from pitwall_runtime.samplers.catalogue import build
from pitwall_runtime.samplers.diversity.adard import AdaRdParameters, choose, volume_weight
from pitwall_runtime.samplers.offline import offline_context


def rows(count, seed=0):
    found = np.random.default_rng(seed).normal(size=(count, 16)).astype(np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def test_the_definition_by_inverse():
    # log(1 + ε - rᵀ (G + ε I)⁻¹ r): what the chosen frames do not explain of a frame.
    some, relevance, weight, ridge = rows(20).astype(float), np.random.default_rng(1).uniform(size=20), 0.3, 1e-6
    chosen = [int(np.argmax(relevance))]
    while len(chosen) < 6:
        inner = np.linalg.inv(some[chosen] @ some[chosen].T + ridge * np.eye(len(chosen)))
        likeness = some @ some[chosen].T
        left = np.log(1 + ridge - np.einsum("nk,kl,nl->n", likeness, inner, likeness))
        value = relevance + weight * left
        value[chosen] = -np.inf
        chosen.append(int(np.argmax(value)))

    assert choose(relevance, some.astype(np.float32), 6, weight).tolist() == chosen


def test_volume_counts_more_in_a_long_video_and_less_for_a_clear_question():
    parameters = AdaRdParameters(least_weight="0.001")
    vague, clear = np.full(1000, 0.5), np.eye(1, 1000, 300)[0]

    assert volume_weight(vague, 100_000, 8, parameters) > volume_weight(vague, 100, 8, parameters)
    assert volume_weight(clear, 1000, 8, parameters) < volume_weight(vague, 1000, 8, parameters)


@pytest.mark.parametrize(("best", "counts"), [(0.3, True), (0.01, False)])
def test_relevance_below_the_gate_is_ignored(best, counts):
    scores = np.random.default_rng(5).uniform(-0.2, 0, 300)
    scores[40:60] = best
    selection = build(SamplerSpec(name="adard")).choose(offline_context(scores, 8, embeddings=rows(300)))

    assert selection.diagnostics["relevance_counts"] is counts
    assert (len(set(range(40, 60)) & set(selection.indices)) >= 6) is counts

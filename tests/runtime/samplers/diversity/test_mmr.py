"""MMR through its declaration: weights at their ends."""

import numpy as np

from pitwall_crds.variant.variant import SamplerSpec
from pitwall_runtime.samplers.catalogue import build
from pitwall_runtime.samplers.offline import offline_context

SCORES = np.array([0.9, 0.8, 0.7, 0.1, 0.0])
ROWS = np.eye(3, dtype=np.float32)[[0, 0, 0, 1, 2]]


def choose(**parameters):
    context = offline_context(SCORES, 3, embeddings=ROWS)
    return build(SamplerSpec(name="mmr", parameters=parameters)).choose(context).indices


def test_relevance_alone_is_topk_and_half_of_it_leaves_twins_out():
    assert choose(relevance="1") == (0, 1, 2)
    assert choose() == (0, 3, 4)

"""Pools with many equal pictures, and pictures of nothing, do not upset the arithmetic of determinants."""

import numpy as np
import pytest

from pitwall_crds.variant.variant import SamplerSpec
from pitwall_runtime.samplers.catalogue import build
from pitwall_runtime.samplers.offline import offline_context


@pytest.mark.parametrize("name", ["dpp", "adard", "mdp3", "gift", "mmr"])
@pytest.mark.parametrize("kinds", [1, 2, 3])
@pytest.mark.parametrize("blank", [False, True])
def test_every_kind_is_seen_before_any_is_seen_twice(name, kinds, blank):
    rows = np.random.default_rng(7).normal(size=(kinds, 8)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    if blank:
        rows[0] = 0.0
    pool = rows[np.arange(150) % kinds]
    scores = np.full(150, 0.3)

    # A blank has neither volume nor likeness; MDP3 compares with the last frame of the stretch before alone.
    sees_all = not (blank and name in {"dpp", "adard", "mmr"}) and not (name == "mdp3" and kinds > 2)
    for budget in (kinds, 100, 150):
        chosen = build(SamplerSpec(name=name)).choose(offline_context(scores, budget, embeddings=pool)).indices
        assert len(set(chosen)) == budget
        assert budget > kinds or not sees_all or len({index % kinds for index in chosen}) == kinds

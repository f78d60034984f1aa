"""Uniform takes the middles of equal stretches and asks for nothing."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pitwall_crds.variant.variant import SamplerSpec
from pitwall_runtime.samplers.catalogue import build
from pitwall_runtime.samplers.coverage.uniform import spread
from pitwall_runtime.samplers.offline import offline_context


class Unasked:
    """Features that nobody may ask for."""

    def embeddings(self, indices):
        raise AssertionError("uniform needs no embeddings")

    def scores(self, indices, query):
        raise AssertionError("uniform needs no scores")


def test_uniform_takes_midpoints_and_asks_for_nothing():
    pool = offline_context(np.zeros(80), 4, features=Unasked())

    assert build(SamplerSpec(name="uniform")).choose(pool).indices == (10, 30, 50, 70)


@given(start=st.integers(0, 50), length=st.integers(1, 200), part=st.floats(0.01, 1))
def test_uniform_frames_are_as_far_apart_as_they_can_be(start, length, part):
    count = max(1, int(length * part))
    chosen = spread(start, start + length, count)
    gaps = np.diff(chosen)

    assert chosen[0] >= start
    assert chosen[-1] < start + length
    assert len(gaps) == 0 or gaps.max() - gaps.min() <= 1

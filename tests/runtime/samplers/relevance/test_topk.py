"""Top-k takes the best frames."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pitwall_crds.variant import SamplerSpec
from pitwall_runtime.samplers.arithmetic.curve import best
from pitwall_runtime.samplers.catalogue import build
from pitwall_runtime.samplers.offline import offline_context


def test_topk_takes_the_best():
    pool = offline_context([0.1, 0.9, 0.2, 0.8, 0.3], 2)

    assert build(SamplerSpec(name="topk")).choose(pool).indices == (1, 3)


@given(
    scores=arrays.arrays(np.float32, st.integers(1, 60), elements=st.floats(-1, 1, width=32)), count=st.integers(1, 60)
)
def test_no_frame_that_topk_leaves_out_is_better_than_one_that_it_takes(scores, count):
    taken = best(scores, min(count, len(scores)))
    left = [index for index in range(len(scores)) if index not in taken]

    assert not left or scores[left].max() <= scores[taken].min()

"""Top-k takes the best frames."""

from pitwall_crds.variant.variant import SamplerSpec
from pitwall_runtime.samplers.catalogue import build
from pitwall_runtime.samplers.offline import offline_context


def test_topk_takes_the_best():
    pool = offline_context([0.1, 0.9, 0.2, 0.8, 0.3], 2)

    assert build(SamplerSpec(name="topk")).choose(pool).indices == (1, 3)

"""Key frames: takes the frames that the video's encoder stored whole (I-frames). Costs neither a model nor a score."""

import numpy as np

from pitwall_crds.resource import Border
from pitwall_runtime.media import Selection
from pitwall_runtime.samplers.arithmetic.curve import Positions, evenly
from pitwall_runtime.samplers.contract import Input, Sampler, SamplerContext, Stability


class KeyFramesParameters(Border):
    """Key frames has none."""


def choose(key_frames: Positions, pool_size: int, budget: int) -> Positions:
    """`budget` ≤ N frames: evenly of the key frames; if there are too few, all of them and the middles of the gaps."""
    if len(key_frames) >= budget:
        return key_frames[evenly(len(key_frames), budget)]
    chosen = key_frames.tolist()
    while len(chosen) < budget:
        chosen = sorted({*chosen, *_middles(chosen, pool_size, budget - len(chosen))})
    return np.array(chosen, dtype=np.int64)


def _middles(chosen: list[int], pool_size: int, count: int) -> list[int]:
    """Middles of at most `count` of the widest gaps between chosen frames."""
    ends = np.array([-1, *chosen, pool_size])
    widths = np.diff(ends) - 1
    widest = np.argsort(-widths, kind="stable")[:count]
    return [int(ends[gap] + 1 + widths[gap] // 2) for gap in widest if widths[gap] > 0]


def select(context: SamplerContext, parameters: KeyFramesParameters) -> Selection:
    """Exactly `budget` frames; without known key frames the middles of equal stretches."""
    del parameters
    known = context.signals.key_frames
    if known is None:
        return Selection.of(evenly(context.pool_size, context.budget), key_frames="unknown")
    frames = choose(np.array(known, dtype=np.int64), context.pool_size, context.budget)
    return Selection.of(frames, key_frames=len(known))


SAMPLER = Sampler(
    name="key-frames",
    select=select,
    parameters=KeyFramesParameters,
    contract=1,
    stability=Stability.BETA,
    summary="I-frames: the video's own encoder marked them, so no model is needed; evenly spread where none are known.",
    uses=frozenset({Input.KEY_FRAMES}),
)

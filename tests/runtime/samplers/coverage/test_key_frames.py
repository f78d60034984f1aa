"""Key frames first, then the middles of the widest gaps."""

import numpy as np

from pitwall_crds.variant.variant import SamplerSpec
from pitwall_runtime.samplers.catalogue import build
from pitwall_runtime.samplers.contract import Signals
from pitwall_runtime.samplers.offline import offline_context


def choose(key_frames, count, budget):
    context = offline_context(np.zeros(count), budget, signals=Signals(key_frames=key_frames))
    return build(SamplerSpec(name="key-frames")).choose(context)


def test_evenly_of_more_key_frames_than_the_budget():
    assert choose((0, 7, 20, 21, 50, 90), 100, 2).indices == (7, 50)


def test_all_of_fewer_and_the_middles_of_the_widest_gaps():
    assert choose((0, 60), 100, 3).indices == (0, 30, 60)
    assert choose((0, 60), 100, 4).indices == (0, 30, 60, 80)


def test_even_frames_and_a_word_about_it_where_nobody_looked():
    selection = choose(None, 80, 4)

    assert selection.indices == (10, 30, 50, 70)
    assert selection.diagnostics["key_frames"] == "unknown"


def test_a_video_without_key_frames_is_halved_and_halved():
    assert choose((), 8, 8).indices == tuple(range(8))

"""What is known to go wrong in published code of these samplers, shown first as published, then as it is here.

Each test states the published rule in a line or two of its own, with the case in which it fails.
"""

import numpy as np
import pytest

from pitwall_crds.variant.variant import SamplerSpec
from pitwall_runtime.samplers.arithmetic.curve import unit_range
from pitwall_runtime.samplers.catalogue import build
from pitwall_runtime.samplers.offline import offline_context

PEAK = np.exp(-(((np.arange(600) - 300) / 3.0) ** 2))


def rows(count):
    found = np.random.default_rng(0).normal(size=(count, 16)).astype(np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def choose(name, scores, budget, **parameters):
    context = offline_context(scores, budget, embeddings=rows(len(scores)), seed=7)
    return build(SamplerSpec(name=name, parameters=parameters)).choose(context).indices


@pytest.mark.parametrize(("budget", "published"), [(8, 0), (24, 0), (48, 32), (50, 32), (100, 96)])
def test_aks_loses_frames_to_whole_division(budget, published):
    flat = np.random.default_rng(0).uniform(size=3600)  # no peak anywhere: 32 leaves at depth 5

    assert 32 * int(budget / 2**5) == published
    assert len(choose("aks", flat, budget)) == budget


def test_aks_divides_by_zero_on_a_constant_curve():
    constant = np.full(600, 0.25)

    with np.errstate(invalid="ignore"):
        assert np.isnan((constant - constant.min()) / np.ptp(constant)).all()
    assert choose("aks", constant, 8) == choose("uniform", constant, 8)


def test_bolt_repeats_the_frame_of_a_sharp_peak():
    density = unit_range(PEAK) ** 3
    published = np.searchsorted(np.cumsum(density / density.sum()), np.linspace(1 / 64, 1 - 1 / 64, 64))

    assert len(set(published.tolist())) < 16
    assert len(set(choose("bolt", PEAK, 64))) == 64


def test_focus_never_looks_at_the_last_frames():
    frames, clips = 1000, 63
    tail = np.where(np.arange(frames) >= clips * (frames // clips), 1.0, 0.0)

    assert 0 < tail.sum() < frames // clips * clips
    assert max(choose("focus", tail, 64)) >= clips * (frames // clips)


def test_qca_lacks_frames_where_cosines_are_negative():
    cosines = np.linspace(-0.9, -0.1, 160).astype(np.float32)
    segment = cosines[:10]

    assert (segment >= segment.max()).sum() == 1  # as published: of a negative maximum no threshold is lower
    assert len(choose("qca", cosines, 64)) == 64


@pytest.mark.parametrize("frames", [5, 15])
def test_qca_refuses_fewer_frames_than_segments(frames):
    assert frames // 16 == 0
    assert len(choose("qca", np.random.default_rng(0).uniform(size=frames), 4)) == 4


def test_wfs_sb_takes_holes_for_the_best_frames():
    scores = np.random.default_rng(0).uniform(size=100)
    scores[40:44] = np.nan

    assert set(np.argsort(scores)[::-1][:4].tolist()) == set(range(40, 44))  # as published, for the top half
    assert not set(range(40, 44)) & set(choose("wfs-sb", scores, 8))


def test_mdp3_needs_a_multiple_of_the_stretch():
    scores = np.random.default_rng(0).uniform(size=70).astype(np.float32)

    with pytest.raises(IndexError):  # as published: the last stretch reaches beyond the frames
        [scores[frame] for frame in range(64, 96)]
    assert len(choose("mdp3", scores, 8)) == 8


def test_qframe_draws_others_every_time():
    first, second = (np.random.default_rng().gumbel(size=128) for _ in range(2))
    scores = np.random.default_rng(0).uniform(size=600)

    assert first.tolist() != second.tolist()
    assert choose("qframe", scores, 16) == choose("qframe", scores, 16)

"""Shots tile the pool; cuts fall where the picture changes."""

import subprocess
import sys
from importlib.util import find_spec
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pitwall_runtime.errors import BadVariantError
from pitwall_runtime.media import Frame, PoolSpec, Shot
from pitwall_runtime.stages.segment.network import PACKAGE
from pitwall_runtime.stages.segment.segment import (
    DETECTIONS,
    DETECTORS,
    CutDetection,
    Preset,
    Segmenter,
    detection_of,
    preset_for,
)


def shots_of(images, spec=PoolSpec()):  # noqa: B008
    segmenter = Segmenter(spec)
    for number, image in enumerate(images):
        segmenter.watch(Frame(number, image))
    return segmenter.shots()


def plain(colour, count):
    return [np.full((48, 64, 3), colour, np.uint8)] * count


RED, BLUE, GREY = (200, 0, 0), (0, 0, 200), (90, 90, 90)


@pytest.mark.parametrize(
    ("images", "expected"),
    [
        pytest.param([], (), id="nothing"),
        pytest.param(plain(RED, 1), (Shot(0, 1),), id="one-frame"),
        pytest.param(plain(RED, 9), (Shot(0, 9),), id="no-cut"),
        pytest.param(plain(RED, 5) + plain(BLUE, 4), (Shot(0, 5), Shot(5, 9)), id="one-cut"),
        pytest.param(
            plain(RED, 1) + plain(BLUE, 1) + plain(GREY, 7), (Shot(0, 1), Shot(1, 2), Shot(2, 9)), id="one-second-shots"
        ),
        pytest.param(plain(RED, 8) + plain(BLUE, 1), (Shot(0, 8), Shot(8, 9)), id="cut-at-the-last-frame"),
    ],
)
def test_cuts(images, expected):
    assert shots_of(images) == expected


def test_a_slow_change_is_no_cut():
    fade = [np.full((48, 64, 3), level, np.uint8) for level in range(0, 200, 4)]
    assert shots_of(fade) == (Shot(0, 50),)


def test_shots_tile_any_pool():
    noise = np.random.default_rng(2).integers(0, 255, (40, 24, 32, 3), dtype=np.uint8)
    shots = shots_of([image // (1 + number % 3) for number, image in enumerate(noise)])
    assert shots[0].start == 0
    assert shots[-1].end == 40
    assert all(earlier.end == later.start for earlier, later in pairwise(shots))


@settings(max_examples=60, deadline=None)
@given(
    colours=st.lists(st.sampled_from([RED, BLUE, GREY]), min_size=1, max_size=25),
    rate=st.sampled_from([6, 60, 240, 480]),
)
def test_shots_tile_any_film_in_order_and_watching_again_gives_the_same(colours, rate):
    images = [np.full((12, 16, 3), colour, np.uint8) for colour in colours]
    shots, again = (shots_of(images, PoolSpec(rate, 240)) for _ in range(2))

    assert shots == again
    assert (shots[0].start, shots[-1].end) == (0, len(images))
    assert all(earlier.end == later.start for earlier, later in pairwise(shots))
    if len(set(colours)) == 1:
        assert len(shots) == 1


def test_a_higher_threshold_never_cuts_more():
    images = [np.full((12, 16, 3), level, np.uint8) for level in (0, 60, 10, 200, 190, 90, 255, 0)]
    counts = []
    for threshold in (5.0, 27.0, 60.0, 250.0):
        segmenter = Segmenter(PoolSpec(), CutDetection("content", threshold, threshold))
        for number, image in enumerate(images):
            segmenter.watch(Frame(number, image))
        counts.append(len(segmenter.shots()))

    assert counts == sorted(counts, reverse=True)
    assert counts[0] > counts[-1] == 1


@pytest.mark.parametrize(
    ("short_side", "overloaded", "preset"),
    [
        pytest.param(240, False, Preset.QUALITY, id="small"),
        pytest.param(320, True, Preset.QUALITY, id="small-when-overloaded"),
        pytest.param(321, False, Preset.DEFAULT, id="middle"),
        pytest.param(720, True, Preset.DEFAULT, id="middle-when-overloaded"),
        pytest.param(1080, False, Preset.DEFAULT, id="large"),
        pytest.param(1080, True, Preset.FAST, id="large-when-overloaded"),
    ],
)
def test_the_short_side_decides_how_carefully_cuts_are_looked_for(short_side, overloaded, preset):
    assert preset_for(short_side, overloaded=overloaded) is preset


def test_large_pictures_are_compared_by_their_histograms_while_the_machine_is_overloaded():
    """Such a comparison cannot tell a picture from its mirror image; the other presets can."""
    left = np.zeros((1080, 1440, 3), np.uint8)
    left[:, :700] = RED
    images, counts = [left] * 4 + [left[:, ::-1].copy()] * 4, {}
    for overloaded in (False, True):
        segmenter = Segmenter(PoolSpec(), overloaded=lambda now=overloaded: now)
        for number, image in enumerate(images):
            segmenter.watch(Frame(number, image))
        counts[overloaded] = len(segmenter.shots())

    assert counts == {False: 2, True: 1}


@pytest.mark.parametrize("preset", Preset)
def test_every_preset_finds_a_plain_cut_also_where_the_picture_changes_its_size(preset):
    segmenter = Segmenter(PoolSpec(), DETECTIONS[preset])
    large = [np.full((96, 128, 3), RED, np.uint8)] * 3
    for number, image in enumerate(plain(RED, 5) + large + plain(BLUE, 4)):
        segmenter.watch(Frame(number, image))
    assert segmenter.shots() == (Shot(0, 8), Shot(8, 12))


@pytest.mark.parametrize("name", [name for name in DETECTORS if name != "transnetv2"])
def test_every_detector_of_pyscenedetect_watches_a_film_to_its_end(name):
    threshold = {"content": 30, "adaptive": 3, "threshold": 12, "hash": 0.35, "histogram": 0.2}[name]
    segmenter = Segmenter(PoolSpec(), CutDetection(name, threshold, threshold))
    noise = np.random.default_rng(2).integers(0, 255, (20, 48, 64, 3), dtype=np.uint8)
    for number, image in enumerate(noise):
        segmenter.watch(Frame(number, image))
    assert segmenter.shots()[-1].end == 20


def test_the_network_is_refused_in_words_where_it_is_not_installed():
    if find_spec(PACKAGE):
        pytest.skip("it is installed")
    assert detection_of("pyscenedetect") is None
    with pytest.raises(BadVariantError, match=r"transnetv2 is not installed: pip install '.\[transnetv2\]'"):
        detection_of("transnetv2")


def test_the_network_finds_plain_cuts():
    pytest.importorskip(PACKAGE)
    drawn = np.random.default_rng(3).integers(0, 255, (3, 9, 16, 3), dtype=np.uint8)
    scenes = [np.kron(scene, np.ones((8, 8, 1), np.uint8)) for scene in drawn]
    segmenter = Segmenter(PoolSpec(), detection_of("transnetv2"))
    for number in range(60):
        segmenter.watch(Frame(number, scenes[number // 20]))
    assert segmenter.shots() == (Shot(0, 20), Shot(20, 40), Shot(40, 60))


def test_what_finds_cuts_is_imported_where_the_first_film_is_cut():
    said = "import sys, pitwall_runtime.stages.segment.segment; print({'cv2', 'scenedetect'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True, timeout=60)

    assert done.stdout == "set()\n"

"""The real film with the real encoder: questions find their moments, and a known film costs milliseconds."""

import io
import json
import math
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from pitwall_crds.variant.variant import SamplerVariant
from pitwall_runtime.ask.__main__ import default_cache_dir
from pitwall_runtime.ingest.files import open_video
from pitwall_runtime.media import Frame, PoolSpec
from pitwall_runtime.pipeline.pipeline import Pipeline
from pitwall_runtime.pipeline.telemetry import RuntimeTelemetry
from pitwall_runtime.stages.segment.segment import DETECTIONS, Preset, Segmenter

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

GOLDEN = Path(__file__).parent / "golden" / "big_buck_bunny.cuts.json"


def pipeline_of(cache, sampler, **parameters):
    spec = {"sampler": {"name": sampler, "parameters": parameters}, "maxFrames": 8}
    variant = SamplerVariant.model_validate({"metadata": {"name": sampler}, "spec": spec})
    return Pipeline(variant, cache, RuntimeTelemetry(sampler, "stable"))


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """Frames and shots are made anew; embeddings come from the user's cache, which keeps them by encoder revision."""
    folder, kept = tmp_path_factory.mktemp("film"), default_cache_dir()
    for name in ("embeddings", "encoders", "locks"):
        (kept / name).mkdir(parents=True, exist_ok=True)
        (folder / name).symlink_to(kept / name)
    return folder


@pytest.fixture(scope="module")
def video(film):
    return open_video(film, 1 << 30)


@pytest.fixture(scope="module")
def aks(cache, video):
    pipeline = pipeline_of(cache, "aks")
    pipeline.answer(video, "anything", "stable")
    return pipeline


@pytest.mark.parametrize(
    ("question", "stretches"),
    [
        # Stretches of the film, [start, end) seconds, found by looking at it.
        pytest.param("a rabbit", [(48, 98), (104, 116), (128, 146)], id="rabbit"),
        pytest.param("arrows and a bow", [(312, 322), (330, 336)], id="bow"),
        pytest.param("a butterfly", [(76, 83), (105, 112), (184, 192)], id="butterfly"),
        pytest.param("text credits", [(500, 580)], id="credits"),
        pytest.param("a squirrel in a tree", [(140, 150), (378, 392)], id="squirrel"),
    ],
)
def test_questions_find_their_moments(aks, video, question, stretches):
    best = aks.answer(video, question, "stable").answer.moments[0]
    assert any(start <= best.pts_seconds < end for start, end in stretches), best


def test_the_whole_film_is_in_the_pool(aks, video):
    pool = aks.answer(video, "a rabbit", "stable").pool
    assert len(pool) == 597
    assert pool.seconds(len(pool)) == pytest.approx(596.4, abs=0.1)


def test_its_key_frames_are_those_that_its_packets_mark(aks, video):
    with av.open(str(video.path)) as container:
        (stream,) = container.streams.video
        starts = [packet.pts * packet.time_base for packet in container.demux(stream) if packet.is_keyframe]

    pool = aks.answer(video, "a rabbit", "stable").pool
    assert pool.key_frames == tuple(sorted({math.ceil(start) for start in starts} & set(range(597))))


def f1_of(shots):
    """Against the cuts that are found between all native frames."""
    true = {math.ceil(at) for at in json.loads(GOLDEN.read_text())["seconds"]}
    found = {shot.start for shot in shots[1:]}
    hits = len(true & found)
    precision, recall = hits / len(found), hits / len(true)
    return 2 * precision * recall / (precision + recall)


def test_shots_found_at_one_frame_a_second_agree_with_those_of_every_frame(aks, video):
    assert f1_of(aks.answer(video, "a rabbit", "stable").pool.shots) > 0.87


@pytest.mark.parametrize(("preset", "least"), [("quality", 0.87), ("default", 0.87), ("fast", 0.77)])
def test_each_preset_finds_the_cuts_as_well_as_the_documentation_says(aks, video, preset, least):
    pool = aks.answer(video, "a rabbit", "stable").pool
    segmenter = Segmenter(PoolSpec(), DETECTIONS[Preset(preset)])
    for index in range(len(pool)):
        segmenter.watch(Frame(index, np.asarray(Image.open(io.BytesIO(aks.store.jpeg(pool, index))))))
    assert f1_of(segmenter.shots()) > least


def test_a_new_question_on_a_known_film_decodes_and_encodes_nothing(aks, video):
    before = (aks.preparation.videos_decoded, aks.encoders.frames_encoded)
    for number in range(20):
        assert not aks.answer(video, f"rabbit number {number}", "stable").cold
    assert (aks.preparation.videos_decoded, aks.encoders.frames_encoded) == before


def test_the_exact_dpp_finds_what_the_fast_one_finds(cache, video):
    exact, fast = pipeline_of(cache, "dpp", exact=True), pipeline_of(cache, "dpp")
    results = {name: p.answer(video, "a rabbit", "stable") for name, p in (("exact", exact), ("fast", fast))}
    assert results["exact"].selection.indices == results["fast"].selection.indices


def test_the_natural_clip_is_answered_too(aks, bikes):
    result = aks.answer(open_video(bikes, 1 << 30), "people riding bicycles", "stable")
    assert len(result.pool) == 10
    assert len(result.selection) == 8

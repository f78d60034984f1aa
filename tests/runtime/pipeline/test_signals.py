"""What a sampler is told beside pictures: key frames, subtitles, parts of the question; and what it cannot be told."""

from dataclasses import replace

import pytest

from pitwall_runtime.errors import BadVariantError
from pitwall_runtime.ingest.files import open_video
from pitwall_runtime.media import Caption, Selection
from pitwall_runtime.pipeline.pipeline import Pipeline
from pitwall_runtime.pipeline.telemetry import RuntimeTelemetry
from pitwall_runtime.samplers.catalogue import bind
from pitwall_runtime.samplers.contract import Input, Sampler, Stability

SAID = (Caption(2.0, 4.0, "It is red."), Caption(12.0, 14.0, "It is blue."))


def telling(seen, **more):
    """A sampler that keeps the context that it was given."""

    def select(context, parameters):
        seen.append(context)
        return Selection.of(range(context.budget))

    return bind(
        Sampler(name="telling", select=select, parameters={}, contract=1, stability=Stability.ALPHA,
                summary="Tells what it was told.", **more), {})  # fmt: skip


@pytest.fixture
def pipeline(make_variant, tmp_path):
    def make(sampler="uniform", **spec):
        return Pipeline(make_variant(sampler, **spec), tmp_path / "cache", RuntimeTelemetry("v", "stable"))

    return make


def told(pipeline, video, question="red"):
    seen = []
    with pipeline.begin(video, question, "stable") as asked:
        pipeline.choose(asked, telling(seen))
    return seen[0]


def test_key_frames_and_the_questions_parts_reach_the_sampler_by_way_of_the_cache(pipeline, make_clip, tmp_path):
    clip = make_clip(tmp_path / "clip.mp4", [("black", 4), ("white", 4), ("black", 4)], rate=10)
    question = "The picture is red. The picture is green."
    for _ in range(2):  # the second process finds the first one's pool on the disk
        context = told(pipeline(), open_video(clip, 1 << 30), question)

        assert context.signals.key_frames is not None
        assert {0, 4, 8} <= set(context.signals.key_frames), "the encoder begins anew where the picture changes"
        assert context.sub_questions == ("The picture is red", "The picture is green")
        assert context.signals.subtitles == ()
        assert context.signals.detections is None


def test_key_frames_are_what_the_sampler_of_that_name_takes(pipeline, make_clip, tmp_path):
    clip = make_clip(tmp_path / "clip.mp4", [("black", 4), ("white", 4), ("black", 4)], rate=10)
    selection = pipeline("key-frames", frames=3).answer(open_video(clip, 1 << 30), "white", "stable").selection

    assert selection.indices == (0, 4, 8)
    assert selection.diagnostics["key_frames"] == 3


def test_subtitles_of_a_file_of_their_own_stand_in_for_those_inside(pipeline, clip):
    video = replace(open_video(clip, 1 << 30), subtitles=SAID)

    assert told(pipeline(), video).signals.subtitles == SAID


@pytest.mark.parametrize(
    ("needs", "words"),
    [
        (Input.DETECTIONS, "needs detections, which this version's pipeline does not provide; use an image whose"),
        (Input.MODEL, "needs a model that sees frames; set spec.answer.engine to openai"),
    ],
)
def test_a_sampler_that_needs_what_the_variant_does_not_have_is_refused_in_words(pipeline, clip, needs, words):
    asking = pipeline()
    with (
        asking.begin(open_video(clip, 1 << 30), "red", "stable") as asked,
        pytest.raises(BadVariantError, match=f"sampler 'telling' {words}"),
    ):
        asking.choose(asked, telling([], uses=frozenset({needs}), needs=frozenset({needs})))


def test_a_need_that_is_met_is_no_matter(pipeline, clip):
    seen, needs = [], frozenset({Input.SCORES, Input.SUBTITLES, Input.KEY_FRAMES, Input.MODEL})
    asking = pipeline(answer={"engine": "openai", "endpointUrl": "http://127.0.0.1:1/v1"})
    with asking.begin(open_video(clip, 1 << 30), "red", "stable") as asked:
        asking.choose(asked, telling(seen, uses=needs, needs=needs))

    assert len(seen) == 1

"""Questions about a part of a video: chosen and answered within it, and without waiting for what lies behind."""

import asyncio
from dataclasses import replace

import numpy as np
import pytest

from pitwall_runtime.deadline import Deadline
from pitwall_runtime.errors import BadQuestionError
from pitwall_runtime.ingest.files import open_video
from pitwall_runtime.media import WHOLE, Caption, FramePool, PoolSpec, Selection, Shot, Stretch
from pitwall_runtime.pipeline.excerpt import Excerpt
from pitwall_runtime.pipeline.pipeline import Pipeline
from pitwall_runtime.pipeline.telemetry import RuntimeTelemetry
from pitwall_runtime.stores.files.lock import exclusive

SPEC = PoolSpec()
SECOND = round(1 / SPEC.time_base)


def pool_of(seconds, shots=(), **more):
    pts = tuple(second * SECOND for second in range(seconds))
    return FramePool("hash", SPEC, SPEC.time_base, pts, seconds * SECOND, shots or (Shot(0, seconds),), **more)


@pytest.fixture
def video(clip):
    """Red, green, blue and yellow, five seconds each."""
    return open_video(clip, 1 << 30)


@pytest.fixture
def make_pipeline(make_variant, tmp_path):
    def make(sampler="aks", **spec):
        return Pipeline(make_variant(sampler, **spec), tmp_path / "cache", RuntimeTelemetry(f"{sampler}-v1", "stable"))

    return make


@pytest.mark.parametrize(
    ("start", "end", "first", "last"),
    [
        (0, 5, 0, 4),
        (5, 8, 5, 7),
        (4.5, 8, 4, 7),
        (5.5, 5.6, 5, 5),
        (7.2, 7.3, 7, 7),
        (3, float("inf"), 3, 9),
        (9.9, 50, 9, 9),
        (4.999995, 5, 4, 4),
    ],
)
def test_an_excerpt_has_the_frames_that_are_seen_meanwhile(start, end, first, last):
    excerpt = Excerpt.of(pool_of(10), Stretch(start, end))

    assert (excerpt.first, excerpt.end - 1) == (first, last)
    assert excerpt.edges_seconds().tolist() == pytest.approx([*range(first, last + 2)])


@pytest.mark.parametrize("start", [10, 600])
def test_what_lies_behind_the_end_is_refused_with_the_end(start):
    with pytest.raises(BadQuestionError, match="the video ends at 0:10"):
        Excerpt.of(pool_of(10), Stretch(start, start + 5))


def with_a_loss():
    """Nothing is known of seconds 4 to 8."""
    pts = tuple(second * SECOND for second in (0, 1, 2, 3, 8, 9))
    return FramePool("hash", SPEC, SPEC.time_base, pts, 10 * SECOND, (Shot(0, 6),))


@pytest.mark.parametrize(
    ("start", "end", "frames"), [(3.5, 6, [3]), (5, 9, [4]), (0, 5, [0, 1, 2, 3]), (7, 20, [4, 5])]
)
def test_what_was_lost_is_not_shown_by_what_came_before(start, end, frames):
    excerpt = Excerpt.of(with_a_loss(), Stretch(start, end))

    assert list(range(excerpt.first, excerpt.end)) == frames


def test_a_part_that_was_lost_is_refused_as_such():
    with pytest.raises(BadQuestionError, match="between 0:05 and 0:07 could be decoded: it is damaged there"):
        Excerpt.of(with_a_loss(), Stretch(5, 7))


def test_shots_key_frames_and_captions_are_cut_to_it():
    captions = (Caption(0, 3, "before"), Caption(3, 5, "over the edge"), Caption(6, 7, "in"), Caption(8, 9, "after"))
    pool = pool_of(10, (Shot(0, 3), Shot(3, 6), Shot(6, 10)), key_frames=(0, 4, 7, 9))
    excerpt = Excerpt.of(pool, Stretch(4, 8))

    assert excerpt.shots() == (Shot(0, 2), Shot(2, 4))
    assert excerpt.key_frames() == (0, 3)
    assert [caption.text for caption in excerpt.captions(captions)] == ["over the edge", "in"]
    assert excerpt.selected(Selection((0, 3), tiers=(1, 0))) == Selection((4, 7), tiers=(1, 0))


def test_a_sampler_sees_the_excerpts_features_and_shows_its_frames_to_the_model():
    class RisingFeatures:
        def embeddings(self, indices):
            return np.array(indices, dtype=np.float32)

        def scores(self, indices, query):
            return np.array(indices, dtype=np.float32) * len(query)

    class EchoModel:
        async def ask(self, prompt, indices):
            return f"{prompt} {indices}"

    excerpt = Excerpt.of(pool_of(10), Stretch(4, 8))
    features = excerpt.features(RisingFeatures())

    assert features.embeddings(None).tolist() == [4, 5, 6, 7]
    assert features.scores([1, 3], "ab").tolist() == [10, 14]
    assert asyncio.run(excerpt.model(EchoModel()).ask("what?", [0, 2])) == "what? [4, 6]"
    assert excerpt.model(None) is None


@pytest.mark.parametrize("sampler", ["uniform", "aks", "topk", "dpp", "mdp3", "key-frames", "focus"])
@pytest.mark.parametrize("stored", [False, True], ids=["a beginning", "the whole pool"])
def test_the_best_moment_within_the_part_is_found(make_pipeline, video, sampler, stored):
    pipeline = make_pipeline(sampler)
    if stored:
        pipeline.answer(video, "blue", "stable")
    for stretch, colour in ((Stretch(0, 10), "green"), (Stretch(6, 14), "blue"), (Stretch(2.5, 4.5), "red")):
        result = pipeline.answer(video, colour, "stable", stretch=stretch)
        times = [result.pool.seconds(index) for index in result.selection.indices]

        assert all(int(stretch.start_seconds) <= time < stretch.end_seconds for time in times)
        assert len(times) == min(4, len({int(time) for time in np.arange(*vars_of(stretch), 0.1)}))
        assert result.answer.moments[0].label == colour


def vars_of(stretch):
    return stretch.start_seconds, stretch.end_seconds


def test_a_question_about_the_first_minute_waits_for_no_one_who_decodes_the_whole_film(make_pipeline, video):
    pipeline = make_pipeline()
    whole = pipeline.preparation.lock_of(video.content_hash, pipeline.preparation.spec)
    with exclusive(whole, limit_seconds=1):
        result = pipeline.answer(video, "red", "stable", stretch=Stretch(0, 4), deadline=Deadline(60))

    assert result.pool.spec == replace(pipeline.preparation.spec, first_seconds=60)
    assert not pipeline.preparation.is_stored(video)
    assert pipeline.preparation.is_stored(video, Stretch(0, 50))


def test_a_whole_pool_that_is_there_answers_for_every_part(make_pipeline, video):
    pipeline = make_pipeline()
    pipeline.answer(video, "red", "stable")
    for stretch in (Stretch(0, 4), Stretch(10, 15), WHOLE):
        assert pipeline.answer(video, "red", "stable", stretch=stretch).pool.spec == pipeline.preparation.spec
    assert pipeline.preparation.videos_decoded == 1


@pytest.mark.parametrize(
    ("end", "first"), [(0.5, 60), (60, 60), (61, 120), (700, 960), (5_000, 7_680), (43_200, 0), (float("inf"), 0)]
)
def test_beginnings_are_rounded_up_so_that_questions_share_them(make_pipeline, video, end, first):
    assert make_pipeline().preparation.spec_of(video, Stretch(0, end)).first_seconds == first

"""The stages together: what is known is not done again; what is missing is done once, whoever asks."""

import contextlib
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor

import av
import pytest
from films.making import H264, ffmpeg
from prometheus_client.parser import text_string_to_metric_families

from pitwall_crds.names import Metric
from pitwall_runtime.deadline import Deadline
from pitwall_runtime.errors import BadVariantError, MediaBrokenError, NotAVideoError, TooLateError
from pitwall_runtime.ingest.files import open_video
from pitwall_runtime.pipeline.pipeline import Pipeline
from pitwall_runtime.pipeline.resources import PipelineResources
from pitwall_runtime.pipeline.telemetry import RuntimeTelemetry
from pitwall_runtime.stores.files.eviction import CacheLimits, Quota, entries

LIMIT = 1 << 30


@pytest.fixture
def video(clip):
    return open_video(clip, LIMIT)


@pytest.fixture
def make_pipeline(make_variant, tmp_path):
    def make(sampler="aks", **spec):
        return Pipeline(make_variant(sampler, **spec), tmp_path / "cache", RuntimeTelemetry(f"{sampler}-v1", "stable"))

    return make


def series(pipeline, name):
    """Samples of one metric by their sorted label values."""
    families = text_string_to_metric_families(pipeline._telemetry.exposition().decode())
    return {
        tuple(value for key, value in sorted(sample.labels.items()) if key != "le"): sample.value
        for family in families
        for sample in family.samples
        if sample.name == name
    }


@pytest.mark.parametrize(
    ("question", "start", "end"), [("blue", 10, 15), ("the red one", 0, 5), ("green", 5, 10), ("yellow", 15, 20)]
)
@pytest.mark.parametrize("sampler", ["uniform", "aks", "topk", "dpp"])
def test_the_right_moment_is_found(make_pipeline, video, sampler, question, start, end):
    result = make_pipeline(sampler).answer(video, question, "stable")
    best = result.answer.moments[0]
    assert start <= best.pts_seconds < end
    assert best.label == question.split()[1 if " " in question else 0]
    assert len(result.selection) == 4


def given_up():
    deadline = Deadline()
    deadline.give_up()
    return deadline


def test_a_question_tells_whether_its_video_is_still_prepared(make_pipeline, video):
    pipeline, undecoded, unencoded, prepared = make_pipeline("topk"), given_up(), Deadline(), given_up()
    with pytest.raises(TooLateError):
        pipeline.answer(video, "blue", "stable", deadline=undecoded)
    asked = pipeline.begin(video, "blue", "stable", deadline=unencoded)
    decoded = unencoded.preparing
    unencoded.give_up()
    with asked, pytest.raises(TooLateError):
        asked.features.require(range(4))
    pipeline.answer(video, "blue", "stable")
    with pytest.raises(TooLateError):
        pipeline.answer(video, "red", "stable", deadline=prepared)

    assert (undecoded.preparing, decoded, unencoded.preparing, prepared.preparing) == (True, False, True, False)


def test_shots_are_cut_on_the_same_pass(make_pipeline, make_clip, tmp_path):
    clip = make_clip(tmp_path / "clip.mp4", [("black", 5), ("white", 3), ("black", 4)])
    pool = make_pipeline().answer(open_video(clip, LIMIT), "white", "stable").pool
    assert [(shot.start, shot.end) for shot in pool.shots] == [(0, 5), (5, 8), (8, 12)]


def test_a_second_question_decodes_nothing_and_encodes_no_frame(make_pipeline, video):
    pipeline = make_pipeline()
    first = pipeline.answer(video, "blue", "stable")
    before = (pipeline.preparation.videos_decoded, pipeline.encoders.frames_encoded)
    second = pipeline.answer(video, "red", "stable")
    assert before == (1, 4)  # four colours, each held for five seconds
    assert (pipeline.preparation.videos_decoded, pipeline.encoders.frames_encoded) == before
    assert (first.cold, second.cold) == (True, False)


def test_another_process_on_the_same_cache_decodes_and_encodes_nothing(make_pipeline, video):
    make_pipeline("aks").answer(video, "blue", "stable")
    other = make_pipeline("topk")
    assert not other.answer(video, "red", "stable").cold
    assert (other.preparation.videos_decoded, other.encoders.frames_encoded) == (0, 0)


def test_five_variants_that_meet_a_new_video_together_decode_it_once(make_pipeline, video):
    pipelines = [make_pipeline(name) for name in ("uniform", "aks", "topk", "dpp", "aks")]
    gate = threading.Barrier(len(pipelines))

    def ask(pipeline):
        gate.wait()
        return pipeline.answer(video, "blue", "stable")

    with ThreadPoolExecutor(len(pipelines)) as threads:
        results = list(threads.map(ask, pipelines))
    assert sum(pipeline.preparation.videos_decoded for pipeline in pipelines) == 1
    assert sum(pipeline.encoders.frames_encoded for pipeline in pipelines) == 4
    assert {result.pool.pts for result in results} == {results[0].pool.pts}


def test_uniform_encodes_only_what_it_needs(make_pipeline, make_clip, clips):
    long = make_clip(clips / "long.mp4", [("red", 200), ("blue", 200)], rate=2)
    pipeline = make_pipeline("uniform")
    pipeline.answer(open_video(long, LIMIT), "blue", "stable")
    assert pipeline.encoders.frames_encoded <= 64 + 4


def test_a_renamed_copy_is_the_same_video(make_pipeline, video, clip, tmp_path):
    copy = tmp_path / "other-name.mp4"
    copy.write_bytes(clip.read_bytes())
    pipeline = make_pipeline()
    pipeline.answer(video, "blue", "stable")
    assert not pipeline.answer(open_video(copy, LIMIT), "blue", "stable").cold


def test_the_answer_depends_on_nothing_but_question_video_and_variant(make_pipeline, video):
    first = make_pipeline("aks").answer(video, "blue", "stable")
    make_pipeline("uniform").answer(video, "red", "stable")
    assert make_pipeline("aks").answer(video, "blue", "candidate").answer == first.answer


def test_what_a_question_cost_is_told_by_variant_and_arm(make_pipeline, video):
    pipeline = make_pipeline("aks")
    pipeline.answer(video, "blue", "candidate")
    pipeline.answer(video, "red", "control")
    assert series(pipeline, Metric.CACHE_LOOKUPS) == {
        ("candidate", "hit", "aks-v1"): 0,
        ("candidate", "miss", "aks-v1"): 20,
        ("control", "hit", "aks-v1"): 20,
        ("control", "miss", "aks-v1"): 0,
    }
    assert series(pipeline, Metric.CACHE_QUERIES) == {
        ("candidate", "cold", "aks-v1"): 1,
        ("control", "warm", "aks-v1"): 1,
    }
    assert series(pipeline, f"{Metric.TOKENS_PER_QUERY}_sum")["candidate", "aks-v1"] == 16
    assert series(pipeline, f"{Metric.FRAME_SELECTION}_count")["control", "aks-v1"] == 1
    busy = series(pipeline, Metric.ENCODER_BUSY)
    assert busy["candidate", "aks-v1"] > 0, "the first question paid for the frames"
    assert busy["control", "aks-v1"] < busy["candidate", "aks-v1"], "the second found them there"
    assert 0 < series(pipeline, Metric.ENCODER_UTILIZATION)["stable", "aks-v1"] <= 1


def test_the_token_budget_is_kept(make_pipeline, video):
    result = make_pipeline(reducer={"name": "pool", "tokenBudget": 7}).answer(video, "blue", "stable")
    assert result.visual_tokens == 4
    assert result.prompt_tokens == 5


def test_a_refused_video_leaves_no_trace_and_no_lock(make_pipeline, tmp_path):
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"nothing" * 100)
    pipeline = make_pipeline()
    for _ in range(2):
        with pytest.raises(NotAVideoError):
            pipeline.answer(open_video(bad, LIMIT), "blue", "stable")
    assert [path.name for path in (tmp_path / "cache" / "frames").rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"reducer": {"name": "tome"}}, "unknown reducer 'tome'"),
        ({"encoder": {"name": "clop"}}, "unknown encoder 'clop'"),
        ({"encoder": {"name": "siglip-base-224"}}, "needs encoder.weights"),
    ],
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
def test_a_variant_that_cannot_be_served_says_why(make_variant, tmp_path, spec, words):
    whole = {"sampler": {"name": "aks"}, "encoder": {"name": "colours"}, **spec}
    variant = make_variant().model_validate({"metadata": {"name": "x"}, "spec": whole})
    with pytest.raises(BadVariantError, match=words):
        Pipeline(variant, tmp_path, RuntimeTelemetry("x", "stable"))


def test_a_cache_that_holds_two_of_six_films_costs_no_answer(make_variant, make_clip, clips, tmp_path):
    """Each question evicts what others have just used; all are asked at once, twice."""
    films = [open_video(make_clip(clips / f"film{n}.mp4", [("red", 3 + n), ("blue", 3)]), LIMIT) for n in range(6)]
    quota = Quota(tmp_path, CacheLimits(120_000))
    pipeline = Pipeline(
        make_variant(), tmp_path, RuntimeTelemetry("aks-v1", "stable"), PipelineResources(quota, hot_bytes=1000)
    )
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda film: pipeline.answer(film, "blue", "stable"), films * 2))
    assert all(3 + n <= answer.answer.moments[0].pts_seconds for n, answer in enumerate(answers[:6]))
    assert [answer.answer for answer in answers[:6]] == [answer.answer for answer in answers[6:]]
    assert len(list(entries(tmp_path))) < 12, "some were evicted, or this proves nothing"


def test_a_clip_of_which_no_instant_has_a_picture_left_is_damaged_and_nothing_is_evicted(make_pipeline, tmp_path):
    """Less than a second, so that its only instant is its first; and a third is lost, which holds just that."""
    path = tmp_path / "short.mp4"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=320x240:r=25:d=1", *H264, "-g", "8", "-keyint_min", "8", "-bf", "0", path)
    content = bytearray(path.read_bytes())
    with av.open(str(path)) as film:
        for packet in film.demux(video=0):
            if packet.size and packet.pts is not None and packet.pts * packet.time_base < 0.3:
                content[packet.pos : packet.pos + packet.size] = bytes(packet.size)
    path.write_bytes(content)

    with pytest.raises(MediaBrokenError, match="no picture of this video is left"):
        make_pipeline().answer(open_video(path, LIMIT), "blue", "stable")


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 1 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "pitwall", str(folder)], check=False).returncode:
        pytest.skip("no file system may be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(disk):
    with (disk / "filler").open("wb") as filler, contextlib.suppress(OSError):
        filler.write(bytes(2 << 20))


def forbid_writing(disk):
    """As Linux does after an error of the disk."""
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)


@pytest.mark.parametrize("harm", [fill, forbid_writing], ids=["full", "read-only"])
@pytest.mark.parametrize("known", [False, True], ids=["a new film", "a film that is there"])
def test_a_disk_that_takes_no_more_costs_no_answer(make_variant, video, small_disk, harm, known):
    pipeline = Pipeline(make_variant(), small_disk / "cache", RuntimeTelemetry("aks-v1", "stable"))
    if known:
        pipeline.answer(video, "blue", "stable")
    harm(small_disk)

    for question, start in (("blue", 10), ("red", 0)):
        assert start <= pipeline.answer(video, question, "stable").answer.moments[0].pts_seconds < start + 5

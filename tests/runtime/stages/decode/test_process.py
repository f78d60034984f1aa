"""The decoding process: killed in the middle, or told to decode what cannot be, it ends in a refusal."""

import json
import os
import signal
import subprocess
import sys

import psutil
import pytest
from films.making import film, remux
from films.numbered import read

from pitwall_runtime.errors import BadVariantError, MediaBrokenError, NotAVideoError
from pitwall_runtime.media import TICKS, PoolSpec
from pitwall_runtime.stages.decode.catalogue import build
from pitwall_runtime.stages.decode.port import Limits
from pitwall_runtime.stages.decode.process import decode


def workers() -> list[psutil.Process]:
    return [one for one in psutil.Process().children() if "pitwall_runtime.stages.decode.worker" in one.cmdline()]


@pytest.fixture
def killing():
    """Kills the decoders of the given frames, by their place in what was handed over."""
    seen = []

    def at(*places, by=signal.SIGKILL):
        def on_frame(frame):
            seen.append(frame.pts)
            if len(seen) in places:
                for one in workers():
                    os.kill(one.pid, by)

        return on_frame

    at.seen = seen
    return at


def test_a_decoder_that_is_killed_in_the_middle_is_begun_again_and_no_frame_comes_twice(make_clip, tmp_path, killing):
    """As by the kernel when others took all memory: that is no fault of the film's, nor of the variant's."""
    clip = make_clip(tmp_path / "long.mp4", [("red", 60), ("blue", 60)])

    timeline = decode(clip, PoolSpec(480, 2000), killing(3))

    assert killing.seen == [number * TICKS for number in range(960)]
    assert timeline.end_pts == 960 * TICKS
    assert workers() == []


def test_a_decoder_that_is_killed_twice_is_a_refusal_with_the_count_of_frames(make_clip, tmp_path, killing):
    clip = make_clip(tmp_path / "long.mp4", [("red", 60), ("blue", 60)])

    with pytest.raises(MediaBrokenError, match=r"stopped after \d+ frames: the system killed it twice"):
        decode(clip, PoolSpec(480, 2000), killing(3, 700))
    assert workers() == []


def test_a_decoder_that_crashes_is_not_begun_again(make_clip, tmp_path, killing):
    clip = make_clip(tmp_path / "long.mp4", [("red", 60), ("blue", 60)])

    with pytest.raises(MediaBrokenError, match=r"decoding stopped after \d+ frames: it crashed"):
        decode(clip, PoolSpec(480, 2000), killing(3, by=signal.SIGSEGV))
    assert len(killing.seen) < 960


def test_a_decoder_starts_no_threads_for_matrices(clip, monkeypatch):
    """They took two fifths of what a decoder's start costs."""
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    seen = []

    decode(clip, PoolSpec(), lambda _: seen.extend(one.environ()["OPENBLAS_NUM_THREADS"] for one in workers()))

    assert set(seen) == {"1"}


@pytest.mark.parametrize("backend", ["decord", "torchcodec"])
def test_what_crashes_a_backend_in_the_middle_is_left_to_pyav(make_clip, tmp_path, backend):
    _need(backend)
    clip = make_clip(tmp_path / "long.mp4", [("red", 30), ("blue", 30)])
    seen = []

    def crash_at_the_third(frame):
        seen.append(frame.pts)
        if len(seen) == 3:
            for one in workers():
                os.kill(one.pid, signal.SIGSEGV)

    timeline = decode(clip, PoolSpec(480, 2000), crash_at_the_third, backend=backend)

    assert seen == [number * TICKS for number in range(480)]
    assert timeline.end_pts == 480 * TICKS
    assert workers() == []


@pytest.mark.slow
def test_a_clock_that_counts_from_1970_crashes_decord_alone(tmp_path):
    _need("decord")
    path, frames = tmp_path / "clock.mkv", []
    remux(path, film(50), "-c", "copy", "-output_ts_offset", 1_700_000_000, "-avoid_negative_ts", "disabled")
    decode(path, PoolSpec(), frames.append, backend="decord")

    assert [read(frame.image).number for frame in frames] == [0, 25]


def _need(backend):
    try:
        build(backend)
    except BadVariantError as error:
        pytest.skip(error.message)


def test_no_decoder_is_left_behind_after_a_refusal(tmp_path):
    (tmp_path / "x.mp4").write_bytes(b"no film")

    with pytest.raises(NotAVideoError):
        decode(tmp_path / "x.mp4", PoolSpec(), lambda _: None)
    assert workers() == []


def test_a_film_that_is_gone_is_no_video(tmp_path):
    with pytest.raises(NotAVideoError, match="still there"):
        decode(tmp_path / "gone.mp4", PoolSpec(), lambda _: None)


def test_damage_in_the_middle_is_passed_over_or_refused_but_never_a_crash(clip, tmp_path):
    whole = clip.read_bytes()
    for number, start in enumerate(range(100, len(whole) - 400, max(1, len(whole) // 6))):
        path = tmp_path / f"{number}.mp4"
        path.write_bytes(whole[:start] + b"\xff" * 200 + whole[start + 200 :])
        frames = []
        try:
            timeline = decode(path, PoolSpec(), frames.append, limits=Limits(wall_seconds=30))
        except (NotAVideoError, MediaBrokenError):
            continue
        assert [frame.pts for frame in frames] == sorted({frame.pts for frame in frames})
        assert timeline.end_pts > frames[-1].pts


def test_the_worker_says_in_one_record_why_it_refuses(tmp_path):
    (tmp_path / "x.mp4").write_bytes(b"")
    command = [
        sys.executable,
        "-m",
        "pitwall_runtime.stages.decode.worker",
        str(tmp_path / "x.mp4"),
        "pyav",
        "60",
        "240",
        "0",
        "3221225472",
    ]
    done = subprocess.run(command, capture_output=True, check=False, timeout=60)
    record = json.loads(done.stdout)

    assert done.returncode == 0
    assert (record["kind"], record["type"]) == ("refused", "NotAVideoError")
    assert done.stderr == b""


def test_what_fails_in_the_decoder_is_told_in_words_and_in_the_log_by_its_cause(tmp_path, caplog):
    with pytest.raises(MediaBrokenError, match="send it re-encoded") as told:
        decode(tmp_path / "x.mp4", PoolSpec(60, "no height"), lambda _: None)

    assert "Error" not in told.value.message
    assert "ValueError" in caplog.text


def test_a_damaged_webp_is_no_video_in_words(tmp_path):
    (tmp_path / "x.webp").write_bytes(b"RIFF\x40\x00\x00\x00WEBPVP8X" + bytes(40))

    with pytest.raises(NotAVideoError, match="the WebP picture is damaged"):
        decode(tmp_path / "x.webp", PoolSpec(), lambda _: None)

"""Frames come out once, in order, with exact times; anything else is refused in words, in time."""

import os
import time

import av
import numpy as np
import pytest
from PIL import Image

from pitwall_runtime.errors import MediaBrokenError, NotAVideoError
from pitwall_runtime.media import PoolSpec
from pitwall_runtime.stages.decode.port import Limits
from pitwall_runtime.stages.decode.process import decode


def frames_of(path, spec=PoolSpec(), **options):  # noqa: B008
    frames = []
    timeline = decode(path, spec, frames.append, **options)
    return frames, timeline


def test_one_frame_a_second_with_exact_times(clip):
    frames, timeline = frames_of(clip)
    assert [frame.pts * timeline.time_base for frame in frames] == list(range(20))
    assert all(isinstance(frame.pts, int) for frame in frames)
    assert timeline.end_pts * timeline.time_base == 20


def test_the_pixels_are_those_of_their_time(clip, colours):
    frames, _ = frames_of(clip)
    means = [frames[index].image.mean((0, 1)) for index in (2, 7, 12, 17)]
    for mean, colour in zip(means, ("red", "green", "blue", "yellow"), strict=True):
        assert np.abs(mean - colours[colour]).max() < 20


@pytest.mark.parametrize(("per_minute", "count"), [(60, 20), (30, 10), (120, 40), (480, 160), (1800, 600), (7, 3)])
def test_the_pool_rate_sets_the_number_of_frames(clip, per_minute, count):
    assert len(frames_of(clip, PoolSpec(per_minute, 240))[0]) == count


def test_frames_are_scaled_down_to_the_height_and_never_up(clip):
    assert frames_of(clip, PoolSpec(30, 32))[0][0].image.shape == (32, 48, 3)
    assert frames_of(clip, PoolSpec(30, 240))[0][0].image.shape == (64, 96, 3)


def test_each_instant_has_the_picture_that_is_seen_then(make_frames_at, tmp_path):
    times = [0.0, 0.04, 0.9, 1.05, 1.1, 4.5, 4.6, 5.2]
    frames, _ = frames_of(make_frames_at(tmp_path / "vfr.mp4", times))
    numbers = [round(float(frame.image.mean())) for frame in frames]  # each picture is as bright as its number
    assert numbers == pytest.approx([0, 2, 4, 4, 4, 6], abs=1)


def test_a_picture_that_is_held_is_the_same_array_as_often_as_it_is_seen(make_frames_at, tmp_path):
    frames, _ = frames_of(make_frames_at(tmp_path / "held.mp4", [0.0, 3.0, 4.0]))
    assert frames[0].image is frames[1].image is frames[2].image
    assert frames[3].image is not frames[2].image


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "mov", "avi", "ts"])
def test_containers(make_clip, tmp_path, suffix):
    path = make_clip(tmp_path / f"clip.{suffix}", [("red", 3), ("blue", 3)])
    frames, timeline = frames_of(path)
    assert len(frames) == 6
    assert float((timeline.end_pts - frames[0].pts) * timeline.time_base) == pytest.approx(6, abs=0.2)


def text(path):
    path.write_text("This is a note, not a film.\n" * 100)


def empty(path):
    path.write_bytes(b"")


def noise(path):
    path.write_bytes(np.random.default_rng(1).bytes(100_000))


def picture(path):
    Image.new("RGB", (64, 64), "red").save(path, "JPEG")


def playlist(path):
    path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://169.254.169.254/x.ts\n#EXT-X-ENDLIST\n")


def concatenation(path):
    path.write_text("ffconcat version 1.0\nfile /etc/passwd\n")


def sound(path):
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=44100)
        frame = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), format="fltp", layout="stereo")
        frame.sample_rate = 44100
        container.mux(stream.encode(frame))
        container.mux(stream.encode())


@pytest.mark.parametrize("make", [text, empty, noise, picture, playlist, concatenation, sound])
def test_what_is_no_video_is_refused(tmp_path, make):
    path = tmp_path / "film.mp4"
    make(path)
    with pytest.raises(NotAVideoError):
        frames_of(path)


def test_a_cut_off_mp4_without_its_index_is_refused(clip, tmp_path):
    path = tmp_path / "cut.mp4"
    path.write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
    with pytest.raises(NotAVideoError, match=r"its index \(moov\) is missing"):
        frames_of(path)


@pytest.fixture(scope="module")
def minute(make_clip, tmp_path_factory):
    """A minute whose index stands at the front, so that its beginning can be read alone."""
    scenes = [("red", 5), ("green", 5), ("blue", 5), ("yellow", 5)] * 3
    return make_clip(tmp_path_factory.mktemp("minute") / "whole.mp4", scenes, options={"movflags": "faststart"})


def cut(whole, path, share):
    """The index, and this share of the pictures after it."""
    content = whole.read_bytes()
    pictures = content.index(b"mdat")
    path.write_bytes(content[: pictures + int((len(content) - pictures) * share)])
    return path


def test_of_a_video_that_ends_early_the_missing_stretch_is_told(minute, tmp_path):
    frames, timeline = frames_of(cut(minute, tmp_path / "cut.mp4", 0.75))
    (lost,) = timeline.damage
    assert lost.end_seconds == 60
    assert 25 < lost.start_seconds < 55
    assert len(frames) == pytest.approx(lost.start_seconds, abs=1)


def test_a_video_of_which_most_is_missing_is_refused_with_both_lengths(minute, tmp_path):
    with pytest.raises(MediaBrokenError, match=r"should last 60 s but only \d+ s can be decoded"):
        frames_of(cut(minute, tmp_path / "cut.mp4", 0.4))


def test_a_decoder_that_hangs_is_killed_when_the_clock_runs_out(tmp_path):
    os.mkfifo(tmp_path / "film.mp4")  # opening it blocks for as long as nobody writes
    started = time.monotonic()
    with pytest.raises(MediaBrokenError, match=r"longer than the limit of 0\.7 s"):
        frames_of(tmp_path / "film.mp4", limits=Limits(wall_seconds=0.7))
    assert time.monotonic() - started < 60  # it would hang for ever


def test_a_failing_consumer_ends_the_decoder_too(clip):
    def refuse(_):
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        decode(clip, PoolSpec(), refuse)

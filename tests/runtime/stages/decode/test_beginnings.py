"""The beginning of a film alone: the same frames as of the whole film, and what lies behind is never read."""

from dataclasses import replace

import pytest
from films.making import H264, at_times, encode, every, hollow, remux
from films.numbered import read
from films.reading import decode

from pitwall_runtime.media import PoolSpec

pytestmark = pytest.mark.slow
WHOLE_POOL = PoolSpec()
BEGINNING = replace(WHOLE_POOL, first_seconds=6)


def pool(path, spec=WHOLE_POOL, **options):
    """The timeline, and what is seen at each instant."""
    frames = []
    timeline = decode(path, spec, frames.append, **options)
    return timeline, [(frame.pts, read(frame.image).number, frame.key) for frame in frames]


@pytest.mark.parametrize(
    ("suffix", "options"),
    [
        pytest.param("mp4", (*H264, "-g", 50, "-bf", 2), id="B-frames"),
        pytest.param("mkv", ("-c:v", "ffv1", "-pix_fmt", "yuv420p"), id="each picture whole"),
        pytest.param("ts", (*H264, "-g", 50), id="broadcast"),
        pytest.param("avi", ("-c:v", "mpeg4", "-g", 50), id="counted pictures"),
        pytest.param("webm", ("-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", 8, "-g", 50), id="webm"),
    ],
)
@pytest.mark.parametrize("rate", [60, 90, 240])
def test_a_beginning_has_the_frames_of_the_whole_film_until_its_end(tmp_path, suffix, options, rate):
    path = tmp_path / f"film.{suffix}"
    encode(path, range(400), 25, *options)
    whole, beginning = replace(WHOLE_POOL, frames_per_minute=rate), replace(BEGINNING, frames_per_minute=rate)
    timeline, frames = pool(path, beginning)

    assert len(frames) == 6 * rate // 60
    assert frames == pool(path, whole)[1][: len(frames)]
    assert timeline.end_pts * timeline.time_base == 6


@pytest.mark.parametrize("backend", ["torchcodec", "decord"])
def test_every_decoder_gives_it(tmp_path, backend):
    path = tmp_path / "film.mp4"
    encode(path, range(400), 25, *H264, "-g", 50)

    assert pool(path, BEGINNING, backend=backend) == pool(path, BEGINNING)


@pytest.mark.parametrize("first", [4, 5, 60, 900])
def test_a_film_that_is_no_longer_is_there_wholly(tmp_path, first):
    path = tmp_path / "film.mp4"
    encode(path, range(100), 25, *H264)

    assert pool(path, replace(WHOLE_POOL, first_seconds=first)) == pool(path)


def test_a_slide_that_is_held_beyond_the_end_ends_there(tmp_path):
    path = tmp_path / "slides.mkv"
    at_times(path, "libx264", [((320, 240), every(3, 1000))], last=3000)
    remux(tmp_path / "held.mkv", lambda out: out.write_bytes(path.read_bytes()), "-c", "copy")
    timeline, frames = pool(path, replace(WHOLE_POOL, first_seconds=4))

    assert [number for _, number, _ in frames] == [0, 1, 2, 2]
    assert timeline.end_pts * timeline.time_base == 4


def test_what_lies_behind_the_beginning_is_not_read(tmp_path):
    path = tmp_path / "cut.ts"
    encode(path, range(1000), 25, *H264, "-g", 50)
    _, whole = pool(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2] + b"\0" * (path.stat().st_size // 2))
    timeline, frames = pool(path, BEGINNING)

    assert timeline.damage == ()
    assert frames == whole[:6]


def test_damage_of_the_beginning_is_told_and_cut_at_its_end(tmp_path):
    path = tmp_path / "hole.ts"
    encode(path, range(500), 25, *H264, "-g", 50)
    hollow(path, 0.2, 0.4)
    timeline, _ = pool(path, BEGINNING)

    [lost] = timeline.damage
    assert 3 < lost.start_seconds < 6
    assert lost.end_seconds == 6


def test_a_beginning_that_is_mostly_lost_is_told_and_not_refused_since_the_rest_may_be_whole(tmp_path):
    path = tmp_path / "ruin.ts"
    encode(path, range(1000), 25, *H264, "-g", 25)
    hollow(path, 0.05, 0.45)
    timeline, frames = pool(path, BEGINNING)

    assert len(frames) < 3
    [lost] = timeline.damage
    assert lost.end_seconds == 6


def test_times_of_a_beginning_that_are_not_certain_are_told(tmp_path):
    path = tmp_path / "lost.avi"
    encode(path, range(500), 25, "-c:v", "mpeg4", "-pix_fmt", "yuv420p", "-g", 50)
    whole = path.read_bytes()
    at = len(whole) // 10
    path.write_bytes(whole[:at] + whole[at + 5000 :])
    timeline, _ = pool(path, BEGINNING)

    assert timeline.damage[-1].end_seconds == 6
    assert timeline.damage[0].start_seconds < 4

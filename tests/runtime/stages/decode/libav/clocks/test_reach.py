"""In a broadcast, pictures that are decoded long before they are shown, as behind one that is held, are shown then."""

import pytest
from films.making import H264, at_times, encode, remux
from films.pools import beside_ffmpeg, pool

pytestmark = pytest.mark.slow
SECOND = range(0, 1000, 40)
SLIDES = [*SECOND, *range(1000, 9000, 1000), *range(9000, 10_000, 40)]
TONE = ("-f", "lavfi", "-i", "sine=d=14", "-map", "0:v", "-map", "1:a", "-c:v", "copy", "-c:a", "aac")
TIMES = pytest.mark.parametrize(
    "times",
    [
        pytest.param([*range(0, 1000, 33), *range(4000, 5000, 33)], id="one hold"),
        pytest.param([0, 40, 80, 120, 160, 200, 3000, 3040, 3080, 3120, 6000], id="holds, the last one at the end"),
        pytest.param(SLIDES, id="slides of a second"),
        pytest.param([*range(0, 400, 40), 12_000, *range(12_040, 13_000, 40)], id="one of twelve seconds"),
    ],
)


def broadcast(path, times, *sound, codec="libx264", b_frames=2):
    """Pictures 0, 1 … at these milliseconds."""
    frames = list(enumerate(times))
    quiet = {"x265-params": "log-level=error"} if codec == "libx265" else {}
    options = {"bf": str(b_frames), "preset": "ultrafast"} | quiet
    made = [((160, 120), frames)]
    remux(path, lambda out: at_times(out, codec, made, last=40, options=options), *(sound or ("-c", "copy")))


@TIMES
def test_pictures_around_a_held_one_are_shown_when_ffmpeg_shows_them(tmp_path, times):
    path = tmp_path / "held.ts"
    broadcast(path, times, *TONE)
    timeline, ours, theirs = beside_ffmpeg(path)

    assert timeline.damage == ()
    assert ours[: len(theirs)] == theirs
    assert timeline.end_pts * timeline.time_base == pytest.approx((times[-1] + 40) / 1000, abs=0.05)


@pytest.mark.parametrize(
    ("suffix", "more"),
    [
        pytest.param("m2ts", {}, id="m2ts"),
        pytest.param("ts", {"codec": "libx265"}, id="hevc"),
        pytest.param("ts", {"b_frames": 7}, id="seven B-frames"),
    ],
)
def test_so_they_are_in_each_kind_of_broadcast(tmp_path, suffix, more):
    path = tmp_path / f"slides.{suffix}"
    broadcast(path, SLIDES, **more)
    timeline, ours, theirs = beside_ffmpeg(path)

    assert timeline.damage == ()
    assert ours == theirs


@pytest.mark.parametrize("b_frames", [2, 3])
@pytest.mark.parametrize("slides", [2, 3, 4, 5, 8])
@pytest.mark.parametrize(
    "seconds", [pytest.param(1, marks=pytest.mark.soak), 2, pytest.param(3, marks=pytest.mark.soak)]
)
def test_a_few_slides_are_all_shown_when_they_say(tmp_path, seconds, slides, b_frames):
    """The film ends before its clock of decoding comes to when the last ones are shown."""
    path, step = tmp_path / "slides.ts", 25 * seconds
    each = f"select='not(mod(n,{step}))'"
    encode(path, range(step * slides), 25, "-vf", each, "-vsync", "vfr", *H264, "-bf", b_frames, size=(160, 120))
    timeline, numbers = pool(path)

    assert timeline.damage == ()
    assert numbers == {second: second // seconds * step for second in range((slides - 1) * seconds + 1)}


@pytest.mark.parametrize("sound", [(), TONE], ids=["silent", "beside sound"])
def test_a_last_picture_that_comes_much_later_than_all_before_is_shown_then(tmp_path, sound):
    path = tmp_path / "held.ts"
    broadcast(path, [*range(0, 1000, 40), 9000], *sound)
    timeline, ours, theirs = beside_ffmpeg(path)

    assert ours[: len(theirs)] == theirs
    assert timeline.damage == ()

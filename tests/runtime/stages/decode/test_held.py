"""A picture that is held while the sound goes on is shown as long as it is held; bytes that are lost are told."""

import pytest
from films.making import H264, encode, hollow, keep_fragments
from films.numbered import read
from films.reading import decode

from pitwall_runtime.media import PoolSpec

pytestmark = pytest.mark.slow
HELD = "setpts='if(lt(N,40),N/10,if(lt(N,60),(N-40)/10+8,(N-60)/10+14))/TB'"
"""A screen that moves for four seconds, stands for four, moves for two, stands for four, and moves for four."""
SEEN = [0, 10, 20, 30, *[39] * 4, 40, 50, *[59] * 4, 60, 70, 80, 90]
TONE = ("-f", "lavfi", "-i", "sine=d=18", "-map", "0:v", "-map", "1:a")
AVC = (*H264, "-g", 20, "-c:a", "aac")

KINDS = pytest.mark.parametrize(
    ("suffix", "options"),
    [
        pytest.param("ts", AVC, id="ts"),
        pytest.param("ts", (*AVC, "-muxrate", "4M"), id="ts of a constant rate"),
        pytest.param("m2ts", AVC, id="m2ts"),
        pytest.param("mpg", ("-c:v", "mpeg2video", "-c:a", "mp2", "-r", 25), id="mpg"),
        pytest.param("ogv", ("-c:v", "libtheora", "-c:a", "libvorbis"), id="ogv"),
        pytest.param("wmv", ("-c:v", "wmv2", "-b:v", "600k", "-c:a", "wmav2"), id="wmv"),
        pytest.param("flv", AVC, id="flv"),
        pytest.param("avi", ("-c:v", "mpeg4", "-c:a", "mp3"), id="avi"),
        pytest.param("mkv", AVC, id="mkv"),
    ],
)
FRAGMENTED = (*H264, "-g", 20, "-bf", 2, "-movflags", "+frag_keyframe+empty_moov+default_base_moof")


def shown(path):
    """The timeline, and which picture stands at which second."""
    frames = []
    timeline = decode(path, PoolSpec(), frames.append)
    numbers = {round(frame.pts * timeline.time_base): read(frame.image) for frame in frames}
    return timeline, {second: seen and seen.number for second, seen in numbers.items()}


@KINDS
def test_a_picture_that_is_held_while_the_sound_goes_on_is_no_damage(tmp_path, suffix, options):
    path = tmp_path / f"held.{suffix}"
    encode(path, range(100), 10, *TONE, "-vf", HELD, "-vsync", "vfr", *options)
    timeline, numbers = shown(path)

    assert timeline.damage == ()
    assert [numbers[second] for second in range(18)] == pytest.approx(SEEN, abs=4), "an MPEG-PS is of 25 a second"


@KINDS
@pytest.mark.parametrize("how", ["zeros", "missing"])
def test_of_such_a_film_what_is_lost_is_told(tmp_path, suffix, options, how):
    path = tmp_path / f"lost.{suffix}"
    encode(path, range(180), 10, *TONE, *options)
    if how == "zeros":
        hollow(path, 0.35, 0.65)
    else:
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) * 35 // 100] + whole[len(whole) * 65 // 100 :])
    timeline, numbers = shown(path)
    told = [(one.start_seconds - 0.06, one.end_seconds + 0.06) for one in timeline.damage]
    wrong = [second for second, number in numbers.items() if number is None or abs(number - 10 * second) > 2]

    assert told
    assert [second for second in wrong if not any(start <= second < end for start, end in told)] == []


@pytest.mark.parametrize(
    ("fragments", "seen"),
    [
        pytest.param((3, 4), [60, 70, 80, 90], id="two of five"),
        pytest.param((4,), [80, 90], id="the last one"),
        pytest.param((2,), [40, 50], id="one in the middle"),
    ],
)
def test_a_recording_that_joined_a_live_stream_late_is_whole(tmp_path, fragments, seen):
    """Its fragments keep the stream's times; the length that FFmpeg finds counts from the stream's beginning."""
    path = tmp_path / "joined.mp4"
    encode(path, range(100), 10, *FRAGMENTED)
    keep_fragments(path, *fragments)
    timeline, numbers = shown(path)

    assert timeline.damage == ()
    assert list(numbers.values()) == seen
    assert timeline.end_pts * timeline.time_base == pytest.approx(len(seen), abs=0.05)


@pytest.mark.parametrize(
    ("fragments", "lost"),
    [
        pytest.param((0, 3, 4), [(2, 6)], id="two in a row"),
        pytest.param((0, 1, 3), [(4, 6)], id="one"),
        pytest.param((0, 2, 4), [(2, 4), (6, 8)], id="each second one"),
    ],
)
def test_a_fragment_that_is_missing_is_told(tmp_path, fragments, lost):
    path = tmp_path / "gaps.mp4"
    encode(path, range(100), 10, *FRAGMENTED)
    keep_fragments(path, *fragments)
    timeline, numbers = shown(path)

    told = [(one.start_seconds, one.end_seconds) for one in timeline.damage]
    assert told == [pytest.approx(stretch, abs=0.35) for stretch in lost]
    assert {second: 10 * second for second in numbers} == numbers
    assert not any(start <= second < end for second in numbers for start, end in lost)


def test_a_picture_that_is_held_over_fragments_is_no_damage(tmp_path):
    path = tmp_path / "held.mp4"
    encode(path, range(100), 10, "-vf", HELD, "-vsync", "vfr", *FRAGMENTED, "-g", 10)
    timeline, numbers = shown(path)
    assert timeline.damage == ()
    assert [numbers[second] for second in range(18)] == pytest.approx(SEEN, abs=1)

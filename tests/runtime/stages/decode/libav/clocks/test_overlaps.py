"""Fragments of an MP4 whose clock begins anew, or goes wrong, are shown one behind the other, or told."""

import struct

import pytest
from films.making import H264, encode, join
from films.pools import beside_ffmpeg, pool, untold

pytestmark = pytest.mark.slow
RATE, HZ = 25, 12_800
SIZE = (160, 120)
FRAGMENTED = ("-g", RATE, "-movflags", "+frag_keyframe+empty_moov+default_base_moof")


def recording(path, numbers, *more, size=SIZE, b_frames=2):
    encode(path, numbers, RATE, *H264, "-bf", b_frames, *FRAGMENTED, *more, size=size)


def retimed(path, seconds):
    """Each fragment, of a second, at another time: `seconds` of its number."""
    data, at, number = bytearray(path.read_bytes()), 0, 0
    while (at := data.find(b"tfdt", at + 1)) >= 0:
        struct.pack_into(">Q", data, at + 8, round(seconds(number) * HZ))
        number += 1
    path.write_bytes(data)


def fragments(path):
    """Where each begins, and the end."""
    data = path.read_bytes()
    return [at for at in range(len(data)) if data[at + 4 : at + 8] == b"moof"] + [len(data)]


@pytest.mark.parametrize(
    "seconds",
    [
        pytest.param(lambda _: 0, id="each begins anew"),
        pytest.param(lambda number: number - (number >= 2), id="a second early from one on"),
        pytest.param(lambda number: number - (number == 2), id="one that is a second early"),
        pytest.param(lambda number: number % 2, id="the clock begins anew"),
    ],
)
def test_fragments_whose_times_were_there_before_follow_those_before_them(tmp_path, seconds):
    path = tmp_path / "film.mp4"
    recording(path, range(100))
    retimed(path, seconds)
    timeline, numbers = pool(path)

    assert timeline.damage == ()
    assert numbers == {0: 0, 1: 25, 2: 50, 3: 75}
    assert timeline.end_pts * timeline.time_base == pytest.approx(4, abs=0.05)


@pytest.mark.parametrize("b_frames", [0, 2])
@pytest.mark.parametrize("pictures", [1, 2, 10])
def test_fragments_that_overlap_a_little_are_shown_at_their_own_times(tmp_path, pictures, b_frames):
    """As of a recorder that calls each picture a bit too long: what it says of a fragment's begin is right."""
    path = tmp_path / "film.mp4"
    recording(path, range(250), b_frames=b_frames)
    retimed(path, lambda number: number * (1 - pictures / RATE))
    timeline, ours, theirs = beside_ffmpeg(path)

    assert timeline.damage == ()
    assert ours == pytest.approx(theirs, abs=1)
    assert timeline.end_pts * timeline.time_base == pytest.approx(10 - 9 * pictures / RATE, abs=0.05)


def test_fragments_that_overlap_much_follow_their_times_and_are_told(tmp_path):
    path = tmp_path / "film.mp4"
    recording(path, range(250))
    retimed(path, lambda number: number * 0.4)
    timeline, ours, theirs = beside_ffmpeg(path)

    different = [at / 4 for at, (our, their) in enumerate(zip(ours, theirs, strict=True)) if abs(our - their) > 1]
    assert all(any(one.start_seconds <= at < one.end_seconds for one in timeline.damage) for at in different)
    assert timeline.end_pts * timeline.time_base == pytest.approx(10 - 9 * 0.6, abs=0.05)


@pytest.mark.parametrize("offset", [0, 2], ids=["of its own clock", "of a clock that goes on"])
def test_recordings_that_were_joined_are_one_film(tmp_path, offset):
    path = tmp_path / "joined.mp4"

    def second(out):
        recording(out, range(50, 125), "-output_ts_offset", offset)

    join(path, lambda out: recording(out, range(50)), second)
    timeline, numbers = pool(path)

    assert timeline.damage == ()
    assert numbers == {0: 0, 1: 25, 2: 50, 3: 75, 4: 100}


def test_a_recording_that_is_written_otherwise_than_the_first_is_shown_behind_it(tmp_path):
    path = tmp_path / "joined.mp4"
    join(path, lambda out: recording(out, range(75)), lambda out: recording(out, range(75, 125), size=(320, 240)))
    timeline, numbers = pool(path)

    assert timeline.damage == ()
    assert numbers == {0: 0, 1: 25, 2: 50, 3: 75, 4: 100}
    assert timeline.end_pts * timeline.time_base == pytest.approx(5, abs=0.1)


@pytest.mark.parametrize("late", [1, 3])
def test_a_fragment_that_claims_to_come_later_is_told_with_what_it_hides(tmp_path, late):
    path = tmp_path / "film.mp4"
    recording(path, range(100))
    retimed(path, lambda number: number + late * (number == 2))
    timeline, numbers = pool(path)

    assert untold(timeline, numbers) == []
    assert [numbers[second] for second in range(2)] == [0, 25]


def test_a_fragment_that_is_there_twice_shifts_nothing(tmp_path):
    path = tmp_path / "film.mp4"
    recording(path, range(100))
    content, places = path.read_bytes(), fragments(path)
    path.write_bytes(content[: places[2]] + content[places[1] :])
    timeline, numbers = pool(path)

    assert numbers == {0: 0, 1: 25, 2: 50, 3: 75}
    assert timeline.end_pts * timeline.time_base == pytest.approx(4, abs=0.05)

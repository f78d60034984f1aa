"""Where segments or recordings of a broadcast are joined byte by byte nothing is lost, though their packets are counted
anew; what is lost there all the same is told."""

import pytest
from films.making import H264, encode, ffmpeg
from films.pools import beside_ffmpeg, pool, untold

pytestmark = pytest.mark.slow
RATE, PACKET = 25, 188


@pytest.fixture(scope="module")
def segments(tmp_path_factory):
    """Three of four seconds each, as packagers write them: each by itself, and the clock goes on."""
    folder = tmp_path_factory.mktemp("segments")
    film = folder / "film.mp4"
    encode(film, range(300), RATE, *H264, "-bf", 3, "-g", 2 * RATE, size=(160, 120))
    cut = ("-f", "segment", "-segment_time", 4, "-segment_format", "mpegts")
    ffmpeg("-i", film, "-c", "copy", *cut, folder / "%d.ts")
    return [(folder / f"{number}.ts").read_bytes() for number in range(3)]


def joined(path, segments):
    path.write_bytes(b"".join(segments))
    return path


def test_segments_are_one_film(tmp_path, segments):
    timeline, ours, theirs = beside_ffmpeg(joined(tmp_path / "film.ts", segments))

    assert timeline.damage == ()
    assert ours == theirs


def test_recordings_whose_clocks_begin_anew_are_one_film(tmp_path, segments):
    timeline, ours, theirs = beside_ffmpeg(joined(tmp_path / "film.ts", segments[:2] + segments[:1]))

    assert timeline.damage == ()
    assert ours == theirs


@pytest.mark.parametrize("clock", [50, 50_000], ids=["earlier", "hours later"])
def test_an_advertisement_with_a_clock_of_its_own_is_a_part_of_the_film(tmp_path, clock):
    """By whose times FFmpeg guesses that the film lasts for more than a day, or for half of one."""
    parts = []
    for number, offset in enumerate((1000, clock, 1008)):
        part, numbers = tmp_path / f"{number}.ts", range(100 * number, 100 * (number + 1))
        encode(part, numbers, RATE, *H264, "-bf", 2, "-output_ts_offset", offset, size=(160, 120))
        parts.append(part.read_bytes())
    timeline, ours, theirs = beside_ffmpeg(joined(tmp_path / "film.ts", parts))

    assert timeline.damage == ()
    assert ours == theirs
    assert timeline.end_pts * timeline.time_base == 12


def pictures_of(segment):
    """Where the packets of the pictures are: their part is the one after the tables'."""
    places = range(0, len(segment), PACKET)
    return [at for at in places if int.from_bytes(segment[at + 1 : at + 3]) & 0x1FFF == 0x100]


@pytest.mark.parametrize("then", [1, 0], ids=["the next segment", "a recording of another clock"])
@pytest.mark.parametrize("lost", [2, 3, 5, 12])
def test_what_is_lost_before_a_joint_is_told(tmp_path, segments, lost, then):
    last = set(pictures_of(segments[0])[-lost:])
    torn = b"".join(segments[0][at : at + PACKET] for at in range(0, len(segments[0]), PACKET) if at not in last)
    timeline, numbers = pool(joined(tmp_path / "film.ts", [torn, segments[then]]))

    assert any(3 < one.end_seconds <= 4.2 for one in timeline.damage)
    if then:
        assert untold(timeline, numbers) == []


@pytest.mark.parametrize("first", [0, 3])
def test_a_segment_that_is_missing_is_told(tmp_path, segments, first):
    timeline, numbers = pool(joined(tmp_path / "film.ts", [segments[0][first * PACKET :], segments[2]]))

    assert untold(timeline, numbers) == []
    assert timeline.damage != ()

"""A file that breaks off before the end that its header promises is told as such, and a whole one is whole."""

import pytest
from films.making import H264, encode
from films.pools import pool, untold

from pitwall_runtime.errors import MediaBrokenError

pytestmark = pytest.mark.slow
RATE, PICTURES = 25, 100
KINDS = pytest.mark.parametrize(
    ("suffix", "size", "options"),
    [
        pytest.param("mxf", (192, 108), ("-c:v", "mpeg2video", "-bf", 2), id="MXF"),
        pytest.param("mxf", (192, 108), (*H264, "-g", 1), id="MXF, each picture whole"),
        pytest.param("gxf", (720, 576), ("-c:v", "mpeg2video"), id="GXF"),
        pytest.param("rm", (176, 144), ("-c:v", "rv10"), id="RealMedia"),
    ],
)


@pytest.fixture
def recording(tmp_path):
    """Four seconds, of which a share of the bytes is kept."""

    def record(suffix, size, options, share):
        path = tmp_path / f"film.{suffix}"
        encode(path, range(PICTURES), RATE, *options, size=size)
        content = path.read_bytes()
        path.write_bytes(content[: int(len(content) * share)])
        return path

    return record


@KINDS
def test_the_missing_end_is_told(recording, suffix, size, options):
    timeline, numbers = pool(recording(suffix, size, options, 0.7))

    assert timeline.damage[-1].end_seconds == pytest.approx(4, abs=0.1)
    assert timeline.damage[0].start_seconds == pytest.approx(timeline.end_pts * timeline.time_base, abs=0.15)
    assert 2 < timeline.damage[0].start_seconds < 3.2
    assert untold(timeline, numbers) == []


@KINDS
def test_a_whole_one_is_not_damaged(recording, suffix, size, options):
    timeline, numbers = pool(recording(suffix, size, options, 1))

    assert timeline.damage == ()
    assert numbers == {second: RATE * second for second in range(4)}


def test_one_of_which_less_than_half_is_left_is_refused_with_both_lengths(recording):
    with pytest.raises(MediaBrokenError, match="should last 4 s but only 1 s"):
        pool(recording("mxf", (192, 108), (*H264, "-g", 1), 0.3))


def test_a_recording_whose_header_says_no_length_ends_with_its_pictures(recording):
    """Its writer fills it in at the end, and never came there."""
    path = recording("mxf", (192, 108), (*H264, "-g", 1), 0.7)
    content, told = path.read_bytes(), b"\x02\x02\x00\x08"
    path.write_bytes(content.replace(told + PICTURES.to_bytes(8), told + b"\xff" * 8))
    timeline, numbers = pool(path)

    assert timeline.damage == ()
    assert untold(timeline, numbers) == []

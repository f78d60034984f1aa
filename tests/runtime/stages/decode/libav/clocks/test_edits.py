"""Of an MP4 whose edit list has several entries the parts that it names are shown, one behind the other."""

import struct

import pytest
from films.making import H264, encode, ffmpeg
from films.pools import beside_ffmpeg, pool

pytestmark = pytest.mark.slow
RATE, PICTURE_TICKS, EDIT_TICKS = 25, 512, 1000
ONE_ENTRY = 28
"""Bytes of an edit list of one entry."""


def edited(path, b_frames, begins, lasting=EDIT_TICKS):
    """Of a film of four seconds, with a key picture at each, a second from each of these pictures on; of none for
    None."""
    encode(path, range(100), RATE, *H264, "-bf", b_frames, "-g", RATE, size=(160, 120))
    data = bytearray(path.read_bytes())
    at = data.index(b"elst") - 4
    (first,) = struct.unpack_from(">i", data, at + 20)
    times = [-1 if begin is None else first + begin * PICTURE_TICKS for begin in begins]
    entries = [struct.pack(">IiI", lasting, time, 1 << 16) for time in times]
    table = struct.pack(">I4sII", 16 + 12 * len(entries), b"elst", 0, len(entries)) + b"".join(entries)
    for box in (b"moov", b"trak", b"edts"):
        head = data.index(box) - 4
        struct.pack_into(">I", data, head, struct.unpack_from(">I", data, head)[0] + len(table) - ONE_ENTRY)
    path.write_bytes(data[:at] + table + data[at + ONE_ENTRY :])


@pytest.mark.parametrize("b_frames", [0, 2])
@pytest.mark.parametrize(
    "begins",
    [
        pytest.param([0, 60], id="a part left out"),
        pytest.param([60, 10], id="the later part first"),
        pytest.param([10, 10], id="a part twice"),
        pytest.param([0, 50], id="parts that begin with key pictures"),
        pytest.param([0, 25, 50], id="parts that follow each other"),
    ],
)
def test_what_is_cut_away_is_not_shown(tmp_path, begins, b_frames):
    path = tmp_path / "film.mp4"
    edited(path, b_frames, begins)
    timeline, numbers = pool(path)
    _, ours, theirs = beside_ffmpeg(path)

    assert timeline.damage == ()
    assert numbers == dict(enumerate(begins))
    assert ours == theirs
    assert timeline.end_pts * timeline.time_base == pytest.approx(len(begins), abs=0.02)


def test_a_part_behind_an_empty_one_ends_where_the_list_ends(tmp_path):
    """As of a clip whose pictures begin later than its sound: the list's length counts what shows nothing, too."""
    path = tmp_path / "film.mp4"
    edited(path, 2, [None, None, 50])
    timeline, numbers = pool(path)

    assert timeline.damage == ()
    assert numbers == {0: 50}


@pytest.mark.parametrize("b_frames", [0, 2])
@pytest.mark.parametrize(
    ("begin", "seen"),
    [
        pytest.param(25, {0: 25, 1: 50, 2: 75}, id="from its middle on"),
        pytest.param(0, {0: 0, 1: 25, 2: 50, 3: 75}, id="whole"),
    ],
)
def test_a_part_that_is_longer_than_its_pictures_ends_with_them(tmp_path, begin, seen, b_frames):
    """As ffmpeg and players do: nothing is missing, and nothing is held."""
    path = tmp_path / "film.mp4"
    edited(path, b_frames, [begin], lasting=6 * EDIT_TICKS)
    timeline, numbers = pool(path)

    assert timeline.damage == ()
    assert numbers == seen
    assert timeline.end_pts * timeline.time_base == pytest.approx(len(seen), abs=0.02)


@pytest.mark.parametrize("seconds", [1.9, 2.9])
def test_fragments_end_where_their_pictures_end_though_a_list_cuts_away_a_beginning(tmp_path, seconds):
    """As ffmpeg cuts without encoding anew: it keeps the key picture before, and says what is to be left out."""
    whole, path = tmp_path / "whole.mp4", tmp_path / "film.mp4"
    encode(whole, range(100), RATE, *H264, "-bf", 2, "-g", 50, size=(160, 120))
    ffmpeg("-ss", seconds, "-i", whole, "-c", "copy", "-movflags", "+frag_keyframe+delay_moov", path)
    timeline, ours, theirs = beside_ffmpeg(path)

    assert timeline.damage == ()
    assert ours == theirs

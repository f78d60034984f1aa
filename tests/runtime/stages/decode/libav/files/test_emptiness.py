"""Packets without bytes in mid-film: the picture before them is held."""

import pytest
from films.making import at_times, encode, hollow, remux
from films.pools import beside_ffmpeg, pool

from pitwall_runtime.errors import UnsupportedVideoError
from pitwall_runtime.stages.decode.indexed import survey

pytestmark = pytest.mark.slow
HOLDS = [*range(0, 600, 40), 2000, 2040, 2080, *range(3000, 3400, 40)]
RATE = 25


def still_screen(path, *options):
    """As a recorder writes it that sends as many pictures a second as ever: those that are as before are empty."""
    made = [((160, 128), list(enumerate(HOLDS)))]
    remux(path, lambda out: at_times(out, "libx264", made, last=40), "-vsync", "cfr", "-r", RATE, *options)


def emptied(path, numbers):
    """Some of a QuickTime film's samples hold no bytes any more."""
    data = bytearray(path.read_bytes())
    table, begin = data.index(b"stsz") + 16, data.index(b"mdat") + 4
    count = int.from_bytes(data[table - 4 : table])
    sizes = [int.from_bytes(data[table + 4 * n : table + 4 * n + 4]) for n in range(count)]
    kept = b""
    for number, size in enumerate(sizes):
        at = begin + sum(sizes[:number])
        kept += b"" if number in numbers else data[at : at + size]
    for number in numbers:
        data[table + 4 * number : table + 4 * number + 4] = bytes(4)
    data[begin : begin + len(kept)] = kept
    path.write_bytes(data)


@pytest.mark.parametrize("group", [12, 250], ids=["key pictures in the hold", "one key picture"])
def test_a_still_screen_in_theora_is_shown_as_ffmpeg_shows_it(tmp_path, group):
    path = tmp_path / "still.ogv"
    still_screen(path, "-c:v", "libtheora", "-g", group)
    timeline, ours, theirs = beside_ffmpeg(path)

    assert timeline.damage == ()
    assert ours == theirs
    assert timeline.end_pts * timeline.time_base == pytest.approx(3.4, abs=0.05)


@pytest.mark.parametrize("codec", ["mjpeg", "mpeg4"])
def test_samples_without_bytes_hold_the_picture_before_them(tmp_path, codec):
    path = tmp_path / "film.mov"
    encode(path, range(50), RATE, "-c:v", codec, "-g", 1, size=(160, 120))
    emptied(path, [*range(20, 30), 48, 49])
    timeline, ours, theirs = beside_ffmpeg(path)

    assert timeline.damage == ()
    assert ours == theirs
    assert timeline.end_pts * timeline.time_base == 2


def test_what_is_lost_of_such_a_film_is_told(tmp_path):
    path = tmp_path / "still.ogv"
    still_screen(path, "-c:v", "libtheora", "-g", 12)
    _, whole, _ = beside_ffmpeg(path)
    hollow(path, 0.5, 0.6)
    timeline, numbers = pool(path)
    told = [(one.start_seconds - 0.06, one.end_seconds + 0.06) for one in timeline.damage]
    wrong = [second for second, number in numbers.items() if number != whole[4 * int(second)]]

    assert told
    assert [second for second in wrong if not any(start <= second < end for start, end in told)] == []


def test_other_decoders_leave_such_a_film_to_pyav(tmp_path):
    path = tmp_path / "film.mov"
    encode(path, range(50), RATE, "-c:v", "mpeg4", "-g", 1, size=(160, 120))
    emptied(path, range(20, 30))
    with pytest.raises(UnsupportedVideoError, match="have no bytes"):
        survey(str(path), 240)

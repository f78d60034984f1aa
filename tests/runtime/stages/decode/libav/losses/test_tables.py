"""An MP4's tables of times that cannot be right are told, odd ones are not."""

import struct

import av
import pytest
from films.making import H264, at_times, encode, every, remux
from films.pools import RANDOM_KINDS, pool, untold

from pitwall_runtime.stages.decode.libav.losses.tables import TimeTables, tables_of

pytestmark = pytest.mark.slow
ENTRIES = 12
"""Bytes from a table's name to its first entry."""
QUIET: dict[str, dict[str, str]] = {"libx264": {}, "libx265": {"x265-params": "log-level=error"}}


@pytest.fixture(params=["avc", "hevc"])
def film(request, tmp_path):
    """Ten seconds with B-frames."""
    path = tmp_path / "film.mp4"
    encode(path, range(250), 25, *RANDOM_KINDS[request.param][1])
    return path


def change(path, table, entry, field, value):
    """Write one field of a table's entry: 0 is how many pictures, 1 is what they have. `value` gets the old one."""
    content = bytearray(path.read_bytes())
    at = content.index(table) + ENTRIES + 8 * entry + 4 * field
    [old] = struct.unpack(">i", content[at : at + 4])
    content[at : at + 4] = struct.pack(">i", value(old))
    path.write_bytes(content)


def entries(path, table):
    content = path.read_bytes()
    at = content.index(table)
    return int.from_bytes(content[at + 8 : at + 12])


def test_a_whole_film_has_nothing_wrong(film):
    with av.open(str(film)) as opened:
        assert tables_of(str(film), opened.streams.video[0].id) == TimeTables()
    assert tables_of(str(film), 7) == TimeTables(), "a track that is not there is not judged"


def test_a_time_that_cannot_be_makes_the_film_doubtful_from_the_key_picture_before_it(film):
    """FFmpeg believes none from there on, and shows the pictures in the order in which they are decoded."""
    change(film, b"ctts", entries(film, b"ctts") // 2, 1, lambda offset: offset | 1 << 30)
    timeline, numbers = pool(film)

    assert untold(timeline, numbers) == []
    [doubtful] = timeline.damage
    assert doubtful.start_seconds in (2, 4)
    assert doubtful.end_seconds == pytest.approx(10, abs=0.2)
    assert numbers[1] == 25


@pytest.mark.parametrize("more", [1, 2, 64])
def test_pictures_that_have_the_times_of_others_are_told(film, more):
    change(film, b"ctts", entries(film, b"ctts") // 2, 0, lambda count: count + more)
    timeline, numbers = pool(film)

    assert untold(timeline, numbers) == []
    assert timeline.damage != ()
    assert numbers[1] == 25


def test_a_film_of_which_its_pictures_last_much_longer_than_its_header_says_is_doubtful(film):
    change(film, b"stts", 0, 1, lambda ticks: ticks * 5)
    timeline, numbers = pool(film)

    assert untold(timeline, numbers) == []
    assert timeline.damage[0].start_seconds == 0


@pytest.mark.parametrize("codec", QUIET)
@pytest.mark.parametrize("suffix", ["mp4", "mov"])
def test_a_slide_that_is_held_at_the_end_of_pictures_that_are_not_in_order_is_no_damage(tmp_path, codec, suffix):
    """A screen recording: in the order in which its pictures are decoded the last one stands before it is shown."""
    path = tmp_path / f"held.{suffix}"
    options = {"preset": "ultrafast", "bf": "3"} | QUIET[codec]
    pictures = [*every(25, 40), (25, 8000)]
    remux(path, lambda part: at_times(part, codec, [((160, 90), pictures)], last=40, options=options), "-c", "copy")
    timeline, numbers = pool(path)

    assert timeline.damage == ()
    assert numbers == {0: 0, **dict.fromkeys(range(1, 8), 24), 8: 25}


@pytest.mark.parametrize("more", [1, 1000])
def test_more_times_than_pictures_are_no_damage(film, more):
    """As writers leave them that cut films."""
    change(film, b"ctts", entries(film, b"ctts") - 1, 0, lambda count: count + more)
    timeline, numbers = pool(film)

    assert timeline.damage == ()
    assert [numbers[second] for second in range(10)] == [25 * second for second in range(10)]


@pytest.mark.parametrize("said", [0, -1, 250 * 512 * 3 // 2])
def test_a_length_that_says_nothing_or_nearly_the_right_thing_is_no_damage(tmp_path, said):
    path = tmp_path / "film.mp4"
    encode(path, range(250), 25, *H264, "-bf", 2)
    content = bytearray(path.read_bytes())
    at = content.index(b"mdhd") + 20
    content[at : at + 4] = struct.pack(">i", said)
    path.write_bytes(content)
    with av.open(str(path)) as opened:
        assert tables_of(str(path), opened.streams.video[0].id).lengths_fit


@pytest.mark.parametrize("size", [0, 5, 2**31, 2**32 - 1])
def test_boxes_of_impossible_sizes_end_the_search(film, size):
    content = bytearray(film.read_bytes())
    for name in (b"stbl", b"mdia", b"trak"):
        content[content.index(name) - 4 : content.index(name)] = size.to_bytes(4)
        film.write_bytes(content)
        assert isinstance(tables_of(str(film), 1), TimeTables)

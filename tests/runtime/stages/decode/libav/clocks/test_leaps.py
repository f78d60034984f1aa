"""A few wrong times of a broadcast shift nothing, and shift the rest of the film least of all."""

import av
import pytest
from films.making import H264, at_times, encode, remux
from films.pools import pool, untold

pytestmark = pytest.mark.slow
KINDS = pytest.mark.parametrize(
    ("suffix", "options"),
    [
        pytest.param("ts", (*H264, "-g", 50), id="ts"),
        pytest.param("ts", (*H264, "-g", 50, "-bf", 2), id="ts with B-frames"),
        pytest.param("mpg", ("-c:v", "mpeg2video"), id="mpg"),
    ],
)
PACKET = b"\0\0\1\xe0"
BOTH_TIMES = 3
HZ = 90_000


def _moved(content, at, seconds):
    """A copy in which the time that stands at a place is another: 33 bits, with marks between them."""
    a, b, c, d, e = content[at : at + 5]
    ticks = (a >> 1 & 7) << 30 | b << 22 | c >> 1 << 15 | d << 7 | e >> 1
    ticks += round(seconds * HZ)
    told = (a & 0xF1 | (ticks >> 30 & 7) << 1, ticks >> 22 & 255, (ticks >> 15 & 127) << 1 | 1, ticks >> 7 & 255)
    return content[:at] + bytes((*told, (ticks & 127) << 1 | 1)) + content[at + 5 :]


@KINDS
@pytest.mark.parametrize("seconds", [-4, -0.5, 0.3, 5, 20])
def test_a_picture_whose_time_is_wrong_is_shown_when_it_should_be(tmp_path, suffix, options, seconds):
    path = tmp_path / f"film.{suffix}"
    encode(path, range(250), 25, *options)
    content = path.read_bytes()
    with av.open(str(path)) as film:
        places = [packet.pos for packet in film.demux(video=0) if packet.pos is not None]
    head = content.index(PACKET, places[len(places) // 2])
    for number in range((content[head + 7] >> 6) - 1):
        content = _moved(content, head + 9 + 5 * number, seconds)
    path.write_bytes(content)
    timeline, numbers = pool(path)

    assert timeline.damage == ()
    assert untold(timeline, numbers) == []
    assert timeline.end_pts * timeline.time_base == pytest.approx(10, abs=0.1)


@pytest.mark.parametrize(("seconds", "number"), [(-4, 125), (5, 125), (400, 125), (5, 240)])
def test_a_picture_that_is_to_be_shown_long_before_or_after_it_is_decoded_is_shown_then(tmp_path, seconds, number):
    path = tmp_path / "film.ts"
    encode(path, range(250), 25, *H264, "-g", 50, "-bf", 2)
    content, head = path.read_bytes(), -1
    for _ in range(number):
        head = content.index(PACKET, head + 1)
    while content[head + 7] >> 6 != BOTH_TIMES:
        head = content.index(PACKET, head + 1)
    path.write_bytes(_moved(content, head + 9, seconds))
    timeline, numbers = pool(path)

    assert untold(timeline, numbers) == []
    assert sum(one.end_seconds - one.start_seconds for one in timeline.damage) < 0.2
    assert timeline.end_pts * timeline.time_base == pytest.approx(10, abs=0.1)


@pytest.mark.parametrize("from_end", [1, 2, 3, 4])
@pytest.mark.parametrize("bit", [18, 24])
def test_a_wrong_time_of_one_of_the_last_pictures_is_told(tmp_path, bit, from_end):
    """Nothing behind it tells that no picture is held so long."""
    path = tmp_path / "film.ts"
    encode(path, range(50), 25, *H264, "-g", 25, "-bf", 3)
    content, head = path.read_bytes(), path.stat().st_size
    for _ in range(from_end):
        head = content.rindex(PACKET, 0, head)
    path.write_bytes(_moved(content, head + 9, (1 << bit) / HZ))
    timeline, numbers = pool(path)

    assert untold(timeline, numbers) == []
    assert numbers[1] == 25


def test_pictures_that_last_too_long_by_a_damaged_header_do_not_shift_what_follows(tmp_path):
    path = tmp_path / "film.mpg"
    encode(path, range(250), 25, "-c:v", "mpeg2video")
    content = bytearray(path.read_bytes())
    sequence = content.index(b"\0\0\1\xb5\x14", len(content) // 2)
    content[sequence + 9] = content[sequence + 9] & 0x80 | 2  # the rate is divided by one more
    path.write_bytes(content)
    timeline, numbers = pool(path)

    assert untold(timeline, numbers) == []
    assert timeline.damage != ()
    assert [numbers[second] for second in (1, 3, 8, 9)] == pytest.approx([25, 75, 200, 225], abs=1)
    assert timeline.end_pts * timeline.time_base == pytest.approx(10, abs=0.1)


def test_a_recording_that_begins_anew_begins_anew(tmp_path):
    """What its clock does once it does for good."""
    first, second = tmp_path / "first.ts", tmp_path / "second.ts"
    encode(first, range(100), 25, *H264)
    encode(second, range(100, 200), 25, *H264, "-output_ts_offset", 1)
    (tmp_path / "film.ts").write_bytes(first.read_bytes() + second.read_bytes())
    timeline, numbers = pool(tmp_path / "film.ts")

    assert timeline.damage == ()
    assert [numbers[second] for second in range(8)] == pytest.approx([25 * second for second in range(8)], abs=2)


def test_a_beginning_that_a_torn_recording_holds_twice_shifts_nothing(tmp_path):
    """Whole clips may be joined to themselves, of whole packets."""
    path = tmp_path / "film.ts"
    encode(path, range(250), 25, *H264, "-g", 50)
    content = path.read_bytes()
    path.write_bytes(content[:3200] + content)
    timeline, numbers = pool(path)

    assert untold(timeline, numbers) == []
    assert numbers[9] == 225
    assert timeline.end_pts * timeline.time_base == pytest.approx(10, abs=0.1)


@pytest.mark.parametrize("b_frames", ["0", "2"])
def test_a_camera_that_stands_still_and_then_catches_up_is_shown_by_its_own_times(tmp_path, b_frames):
    """Every two seconds the sending stalls for 0.6 s, and the next pictures come faster until none is late."""
    stalls = [600 if n and n % 50 == 0 else 17 if 0 < n % 50 <= 25 < 50 <= n else 40 for n in range(250)]
    times = list(enumerate(sum(stalls[1 : n + 1]) for n in range(250)))
    path = tmp_path / "film.ts"
    remux(path, lambda out: at_times(out, "libx264", [((320, 240), times)], last=40, options={"bf": b_frames}),
          "-c", "copy")  # fmt: skip
    timeline, numbers = pool(path)

    assert timeline.damage == ()
    assert numbers == {second: max(n for n, shown in times if shown <= 1000 * second + 1) for second in numbers}

"""Recordings of fragments that were joined byte by byte are one film, however each is encoded."""

import pytest
from films.making import H264, encode
from films.pools import pool

pytestmark = pytest.mark.slow
FRAGMENTED = ("-g", 25, "-movflags", "+frag_keyframe+empty_moov+default_base_moof")
HEVC = ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=error:keyint=25")


@pytest.mark.parametrize(
    ("first", "second", "size"),
    [
        pytest.param(H264, (*H264, "-bf", 2), (320, 240), id="with B-frames behind one without"),
        pytest.param(H264, ("-c:v", "libx264", "-pix_fmt", "yuv420p"), (640, 480), id="of another size and profile"),
        pytest.param(HEVC, HEVC, (640, 480), id="HEVC of another size"),
    ],
)
def test_what_another_index_describes_is_decoded_so(tmp_path, first, second, size):
    path = tmp_path / "film.mp4"
    path.write_bytes(b"".join(joined(tmp_path, (first, 25, (320, 240)), (second, 25, size))))
    timeline, numbers = pool(path)

    assert timeline.damage == ()
    assert list(numbers)[:8] == list(range(8))
    assert [numbers[second] for second in range(8)] == pytest.approx([25 * second for second in range(8)], abs=2)


def test_what_is_of_another_clock_lasts_as_long_as_that_says(tmp_path):
    path = tmp_path / "film.mp4"
    path.write_bytes(b"".join(joined(tmp_path, (H264, 25, (320, 240)), (H264, 30, (320, 240)))))
    timeline, numbers = pool(path)

    assert timeline.damage == ()
    assert numbers == {0: 0, 1: 25, 2: 50, 3: 75, 4: 100, 5: 130, 6: 160, 7: 190}
    assert float(timeline.end_pts * timeline.time_base) == pytest.approx(4 + 100 / 30, abs=0.01)


def test_fragments_whose_own_index_is_missing_are_told(tmp_path):
    path = tmp_path / "film.mp4"
    first, second = joined(tmp_path, (H264, 25, (320, 240)), ((*H264, "-bf", 2), 25, (640, 480)), pictures=(100, 50))
    path.write_bytes(first + second[second.index(b"moof") - 4 :])
    timeline, numbers = pool(path)

    assert [(one.start_seconds, one.end_seconds) for one in timeline.damage] == [pytest.approx((4, 6), abs=0.2)]
    assert {second: numbers[second] for second in range(4)} == {0: 0, 1: 25, 2: 50, 3: 75}


def joined(folder, *recordings, pictures=(100, 100)):
    """Their bytes, of (options, rate, size) each."""
    begin, contents = 0, []
    for number, ((options, rate, size), count) in enumerate(zip(recordings, pictures, strict=True)):
        path = folder / f"{number}.mp4"
        encode(path, range(begin, begin + count), rate, *options, *FRAGMENTED, size=size)
        begin += count
        contents.append(path.read_bytes())
    return contents

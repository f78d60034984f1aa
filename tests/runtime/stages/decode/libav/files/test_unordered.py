"""Of a file that says only when pictures are decoded, each is shown in the order that its decoder knows."""

import pytest
from films.making import H264, encode, ffmpeg
from films.pools import beside_ffmpeg, pool

pytestmark = pytest.mark.slow
XVID = ("-c:v", "libxvid", "-bf", 2, "-q:v", 3)
TAIL = -4
"""Of the last pictures nothing says when they are shown: two versions of FFmpeg leave off some of them."""


@pytest.mark.parametrize("suffix", ["asf", "wmv"])
@pytest.mark.parametrize("b_frames", [0, 2, 3])
def test_h264_in_asf_is_shown_in_order(tmp_path, suffix, b_frames):
    path = tmp_path / f"film.{suffix}"
    encode(path, range(100), 25, *H264, "-bf", b_frames, "-g", 25)
    timeline, ours, theirs = beside_ffmpeg(path)

    assert timeline.damage == ()
    assert ours == theirs
    assert timeline.end_pts * timeline.time_base == 4


@pytest.mark.parametrize("suffix", ["mp4", "mov"])
@pytest.mark.parametrize("copied", [("-c", "copy"), ("-c", "copy", "-bsf:v", "mpeg4_unpack_bframes")])
def test_packed_pictures_that_were_copied_from_an_avi_are_shown_in_order(tmp_path, suffix, copied):
    packed, path = tmp_path / "packed.avi", tmp_path / f"film.{suffix}"
    encode(packed, range(100), 25, *XVID)
    ffmpeg("-i", packed, *copied, path)
    timeline, ours, theirs = beside_ffmpeg(path, 25)

    assert timeline.damage == ()
    assert ours[:TAIL] == theirs[: len(ours) + TAIL]


def test_held_pictures_at_the_end_of_such_a_file_are_of_doubtful_time(tmp_path):
    """Two slides come out of the decoder behind all times that the file says."""
    path = tmp_path / "slides.asf"
    encode(path, range(6), 1, "-vf", "setpts='N*5/TB'", "-vsync", "vfr", *H264, "-bf", 3)
    timeline, numbers = pool(path)

    assert {second: number for second, number in numbers.items() if second <= 15} == {n: n // 5 for n in range(16)}
    assert [one.start_seconds for one in timeline.damage] == [pytest.approx(15, abs=0.01)]

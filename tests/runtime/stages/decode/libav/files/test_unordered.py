"""Of a file that says only when pictures are decoded, each is shown in the order that its decoder knows."""

import pytest
from films.making import H264, encode, ffmpeg
from films.pools import beside_ffmpeg, pool

from pitwall_runtime.errors import UnsupportedVideoError
from pitwall_runtime.stages.decode.indexed import survey

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


@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
def test_packed_pictures_for_which_times_were_made_up_are_shown_in_order(tmp_path, suffix):
    packed, path = tmp_path / "packed.avi", tmp_path / f"film.{suffix}"
    encode(packed, range(100), 25, *XVID)
    ffmpeg("-fflags", "+genpts", "-i", packed, "-c", "copy", path)
    timeline, ours, theirs = beside_ffmpeg(path)

    assert timeline.damage == ()
    assert ours == theirs


@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
def test_b_pictures_of_mpeg_4_keep_the_times_that_their_file_says(tmp_path, suffix):
    path = tmp_path / f"film.{suffix}"
    encode(
        path, range(100), 25, "-c:v", "mpeg4", "-bf", 2, "-vf", "setpts='if(gt(N,50),N+25,N)/25/TB'", "-vsync", "vfr"
    )
    timeline, ours, theirs = beside_ffmpeg(path)

    assert timeline.damage == ()
    assert ours == theirs


@pytest.mark.parametrize(
    ("before", "name"),
    [
        pytest.param("film.avi", "copy.mp4", id="AVI to MP4"),
        pytest.param("times.avi", "copy.mp4", id="AVI to MP4 with times made up"),
        pytest.param("film.h264", "copy.mp4", id="raw H.264 to MP4"),
        pytest.param("film.asf", "copy.mov", id="ASF to MOV"),
        pytest.param("film.asf", "copy.mkv", id="ASF to Matroska"),
    ],
)
def test_h264_that_was_copied_from_where_no_order_is_known_is_shown_in_order(tmp_path, before, name):
    written, path = tmp_path / before, tmp_path / name
    encode(written, range(100), 25, *H264, "-bf", 3, "-g", 25)
    made_up = name.endswith("mkv") or before.startswith("times")
    ffmpeg("-fflags", "+genpts" if made_up else "0", "-i", written, "-c", "copy", path)
    timeline, ours, theirs = beside_ffmpeg(path)

    assert timeline.damage == ()
    assert ours[: len(theirs)] == theirs
    assert len(ours) - len(theirs) in (0, 1)


def test_other_decoders_leave_such_a_film_to_pyav(tmp_path):
    path = tmp_path / "film.mp4"
    encode(tmp_path / "film.h264", range(50), 25, *H264, "-bf", 3)
    ffmpeg("-i", tmp_path / "film.h264", "-c", "copy", path)

    with pytest.raises(UnsupportedVideoError, match="when pictures are decoded"):
        survey(str(path), 240)


def test_held_pictures_at_the_end_of_such_a_file_are_of_doubtful_time(tmp_path):
    """Two slides come out of the decoder behind all times that the file says."""
    path = tmp_path / "slides.asf"
    encode(path, range(6), 1, "-vf", "setpts='N*5/TB'", "-vsync", "vfr", *H264, "-bf", 3)
    timeline, numbers = pool(path)

    assert {second: number for second, number in numbers.items() if second <= 15} == {n: n // 5 for n in range(16)}
    assert [one.start_seconds for one in timeline.damage] == [pytest.approx(15, abs=0.01)]

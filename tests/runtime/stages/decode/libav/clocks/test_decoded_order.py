"""Of an MXF whose index has no order of pictures, the decoder's is theirs: FFmpeg's own times are those of decoding."""

import pytest
from films.making import H264, encode, ffmpeg, hollow
from films.numbered import read
from films.pools import pool, untold
from films.reading import decode

from pitwall_runtime.media import PoolSpec

pytestmark = pytest.mark.slow
RATE = 25
SIZE = (192, 108)


@pytest.mark.parametrize(
    "options",
    [
        pytest.param((*H264, "-bf", 2), id="AVC"),
        pytest.param((*H264, "-bf", 3, "-x264-params", "open-gop=1:b-pyramid=none:keyint=20"), id="AVC, open groups"),
        pytest.param((*H264, "-bf", 0), id="AVC without B-frames"),
        pytest.param(("-c:v", "mpeg2video", "-bf", 2), id="MPEG-2, whose index has one"),
    ],
)
def test_each_instant_has_its_picture(tmp_path, options):
    path, frames = tmp_path / "film.mxf", []
    encode(path, range(75), RATE, *options, size=SIZE)
    timeline, numbers = pool(path)
    decode(path, PoolSpec(RATE * 60), frames.append)

    assert timeline.damage == ()
    assert timeline.end_pts * timeline.time_base == 3
    assert numbers == {0: 0, 1: 25, 2: 50}
    assert [read(frame.image).number for frame in frames] == list(range(75))


@pytest.mark.parametrize(
    ("options", "until"),
    [
        pytest.param((*H264, "-g", 25, "-bf", 2), 4, id="AVC, of which the rest is doubtful"),
        pytest.param((*H264, "-g", 25, "-bf", 0), 3, id="AVC without B-frames"),
        pytest.param(("-c:v", "mpeg2video", "-g", 12, "-bf", 2), 3, id="MPEG-2"),
    ],
)
def test_pictures_that_are_missing_are_told(tmp_path, options, until):
    path = tmp_path / "film.mxf"
    encode(path, range(100), RATE, *options, size=SIZE)
    hollow(path, 0.5, 0.6)
    timeline, numbers = pool(path)

    assert untold(timeline, numbers, slack=0) == []
    assert numbers[1] == 25
    [lost] = timeline.damage
    assert lost.start_seconds < 2.1
    assert lost.end_seconds == pytest.approx(until, abs=0.2)


def test_pictures_that_a_cut_leaves_without_those_that_they_are_made_of_are_told(tmp_path):
    """FFmpeg's decoder gives none for them, and says nothing."""
    whole, path = tmp_path / "whole.mxf", tmp_path / "cut.mxf"
    open_groups = ("-x264-params", "open-gop=1:b-pyramid=none:keyint=20:min-keyint=20:scenecut=0")
    encode(whole, range(100), RATE, *H264, "-bf", 3, *open_groups, size=SIZE)
    ffmpeg("-ss", 0.9, "-i", whole, "-c", "copy", path)
    timeline, numbers = pool(path)

    assert numbers[0] == 20
    assert [(one.start_seconds, one.end_seconds) for one in timeline.damage] == [(0, pytest.approx(3.3, abs=0.1))]

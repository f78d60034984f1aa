"""Colours that FFmpeg cannot convert refuse no film: it is shown as ffmpeg's command line shows it."""

import numpy as np
import pytest
from av.video.frame import VideoFrame
from films.making import H264, encode, ffmpeg, seconds_shown
from films.reading import decode

from pitwall_runtime.media import PoolSpec
from pitwall_runtime.stages.decode.libav.pictures.chain import FilterChain
from pitwall_runtime.stages.decode.libav.pictures.colours import make_readable

BT709, UNTOLD, LOG, BT2020, BT2020_CONSTANT, ICTCP, PQ = 1, 2, 9, 9, 10, 14, 16
TAGGED = ("-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("matrix", "transfer"),
    [
        pytest.param(8, BT709, id="YCgCo"),
        pytest.param(BT2020_CONSTANT, BT709, id="BT.2020 of constant luminance"),
        pytest.param(15, BT709, id="Dolby Vision's"),
        pytest.param(BT709, LOG, id="a logarithm"),
        pytest.param(ICTCP, 10, id="both"),
        pytest.param(200, 200, id="what is not defined"),
    ],
)
def test_a_film_is_shown_whatever_it_says_of_its_colours(tmp_path, matrix, transfer):
    plain, path, frames = tmp_path / "plain.mp4", tmp_path / "tagged.mp4", []
    encode(plain, range(10), 10, *H264, *TAGGED, size=(160, 90))
    tags = f"h264_metadata=matrix_coefficients={matrix}:transfer_characteristics={transfer}"
    ffmpeg("-i", plain, "-c", "copy", "-bsf:v", tags, path)
    timeline = decode(path, PoolSpec(), frames.append)
    [theirs], _ = seconds_shown(path, frames[0].image.shape)

    assert timeline.damage == ()
    assert np.abs(frames[0].image.astype(int) - theirs).mean() < 0.1


@pytest.mark.parametrize(
    ("told", "read"),
    [
        ((BT709, BT709), (BT709, BT709)),
        ((BT709, LOG), (BT709, UNTOLD)),
        ((BT2020_CONSTANT, BT709), (BT2020, BT709)),
        ((ICTCP, PQ), (UNTOLD, PQ)),
        ((ICTCP, LOG), (UNTOLD, UNTOLD)),
    ],
)
@pytest.mark.parametrize("kind", ["yuv420p", "nv12", "yuv444p10le"])
def test_as_little_as_possible_is_left_out_of_what_a_picture_says(told, read, kind):
    frame = VideoFrame(32, 16, kind)
    frame.colorspace, frame.color_trc = told
    make_readable(frame)
    chain = FilterChain(frame, [("bwdif", "deint=interlaced"), ("format", "rgb24")])
    chain.push(frame)
    chain.push(None)

    assert (frame.colorspace, frame.color_trc) == read
    assert chain.pull() is not None

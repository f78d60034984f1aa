"""What an MP4's clean aperture leaves out is not seen, as in QuickTime and in ffmpeg since 7.1."""

import struct

import numpy as np
import pytest
from films.making import H264, encode, ffmpeg, turned
from films.pools import pictures

pytestmark = pytest.mark.slow
ON_THE_WAY = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"avc1")


def seen_in(path, *numbers):
    """Write a clean aperture: width, height, and how far its middle is from the picture's, each as two numbers."""
    encode(path, range(50), 25, *H264, "-crf", 1, size=(320, 240))
    data = bytearray(path.read_bytes())
    box = struct.pack(">I4s8i", 40, b"clap", *numbers)
    description = data.index(b"avcC") - 4
    head = 0
    for name in ON_THE_WAY:
        head = data.index(name, head + 4) - 4
        struct.pack_into(">I", data, head, struct.unpack_from(">I", data, head)[0] + len(box))
    end = description + struct.unpack_from(">I", data, description)[0]
    data[end:end] = box
    path.write_bytes(data)


@pytest.mark.parametrize("suffix", ["mp4", "mov"])
@pytest.mark.parametrize(
    ("numbers", "cut"),
    [
        pytest.param((300, 1, 200, 1, 0, 1, 0, 1), (300, 200, 10, 20), id="in the middle"),
        pytest.param((200, 1, 120, 1, 20, 1, -30, 2), (200, 120, 80, 45), id="off it"),
        pytest.param((600, 2, 240, 1, 0, 1, 0, 1), (300, 240, 10, 0), id="of a width alone"),
        pytest.param((400, 1, 200, 1, 0, 1, 0, 1), (320, 240, 0, 0), id="larger than the picture"),
        pytest.param((300, 1, 200, 0, 0, 1, 0, 1), (320, 240, 0, 0), id="that is no number"),
        pytest.param((300, 1, 200, 1, 50, 1, 0, 1), (320, 240, 0, 0), id="beyond its edge"),
    ],
)
def test_what_lies_outside_is_cut_away(tmp_path, suffix, numbers, cut):
    path = tmp_path / f"film.{suffix}"
    seen_in(path, *numbers)
    timeline, images = pictures(path)
    wide, high, left, top = cut
    theirs = ffmpeg(
        "-i",
        path,
        "-vf",
        f"crop={wide}:{high}:{left}:{top}:exact=1,fps=fps=1:round=up,format=rgb24",
        "-f",
        "rawvideo",
        "-",
    )

    assert timeline.damage == ()
    assert images[0].shape == (high, wide, 3)
    expected = np.frombuffer(theirs, np.uint8).reshape(-1, high, wide, 3)[0]
    assert np.abs(images[0].astype(int) - expected).mean() < 0.5


def test_it_is_cut_before_the_picture_is_turned(tmp_path):
    path = tmp_path / "film.mp4"
    seen_in(path, 300, 1, 200, 1, 0, 1, 0, 1)
    turned(path, (0, 1, -1, 0))

    _, images = pictures(path)
    assert images[0].shape == (240, 160, 3)

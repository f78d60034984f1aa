"""The pool's pictures are ffmpeg's own, pixel by pixel, for every kind of file that people send."""

import numpy as np
import pytest
from films.making import ffmpeg, gif
from films.matrix import EVERYDAY, RARE
from films.numbered import read
from films.reading import decode

from pitwall_runtime.media import TICKS, PoolSpec

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
SPEC = PoolSpec(240, 240)


def theirs(path, shape, kind):
    """ffmpeg's picture at each quarter of a second: the last one that has begun."""
    high, wide = shape[:2]
    fields = "bwdif=mode=send_frame:deint=interlaced," if kind.interlaced else ""
    shown = f"{fields}setpts=PTS-STARTPTS,fps=fps=4:round=up,scale={wide}:{high}:flags=bicubic,format=rgb24"
    pixels = ffmpeg("-i", path, "-map", "0:v:0", "-vf", shown, "-f", "rawvideo", "-")
    return np.frombuffer(pixels, np.uint8).reshape(-1, high, wide, 3)


@pytest.mark.parametrize(
    "kind",
    [pytest.param(kind, id=name) for name, kind in EVERYDAY.items()]
    + [pytest.param(kind, id=name, marks=pytest.mark.soak) for name, kind in RARE.items()],
)
def test_each_instant_has_the_picture_that_ffmpeg_shows_then(tmp_path, kind):
    frames = []
    path = kind.make(tmp_path)
    timeline = decode(path, SPEC, frames.append)
    reference = theirs(path, frames[0].image.shape, kind)

    assert timeline.damage == ()
    assert [frame.pts for frame in frames] == [number * TICKS for number in range(len(frames))]
    assert abs(len(frames) - len(reference)) <= 1, "ffmpeg rounds the end"
    for frame, expected in zip(frames, reference, strict=False):
        # Versions of FFmpeg deinterlace differently at edges; a neighbouring picture would differ by more than 3.
        assert np.abs(frame.image.astype(int) - expected).mean() < (2 if kind.interlaced else 0.1)


@pytest.mark.parametrize("suffix", ["webp", "avif"])
def test_what_ffmpegs_older_versions_cannot_read_has_its_pictures_at_their_times(tmp_path, suffix):
    path = tmp_path / f"moving.{suffix}"
    gif(path, (1000, 2000, 3000))
    frames = []
    timeline = decode(path, PoolSpec(), frames.append)

    assert [read(frame.image).number for frame in frames] == [0, 76, 76, 152, 152, 152]
    assert timeline.end_pts * timeline.time_base == 6

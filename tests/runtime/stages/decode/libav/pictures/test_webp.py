"""Moving pictures of the web stand as their EXIF says, as in browsers."""

import numpy as np
import pytest
from films.numbered import picture
from films.pools import pictures
from PIL import Image, ImageOps

pytestmark = pytest.mark.slow
ORIENTATION = 0x0112


@pytest.mark.parametrize("suffix", ["webp", "png"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_picture_stands_upright(tmp_path, suffix, orientation):
    path, exif = tmp_path / f"moving.{suffix}", Image.Exif()
    exif[ORIENTATION] = orientation
    first, *others = (Image.fromarray(picture(number, 160, 90)) for number in range(3))
    first.save(path, save_all=True, append_images=others, duration=1000, exif=exif, lossless=True)
    with Image.open(path) as image:
        image.load()
        theirs = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    timeline, images = pictures(path)

    assert timeline.damage == ()
    assert len(images) == 3
    assert images[0].shape == theirs.shape
    assert np.abs(images[0].astype(int) - theirs).mean() < 1

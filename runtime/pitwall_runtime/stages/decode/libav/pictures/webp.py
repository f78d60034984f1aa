"""Reads animated WebP, the one kind of moving picture that FFmpeg cannot read, with Pillow."""

from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from pitwall_runtime.errors import MediaTooLargeError, NotAVideoError
from pitwall_runtime.media import Frame, PoolSpec, Rgb
from pitwall_runtime.stages.decode.instants import Instants, Shown
from pitwall_runtime.stages.decode.libav.files.diagnosis import STILL
from pitwall_runtime.stages.decode.libav.pictures.pauses import seconds_shown
from pitwall_runtime.stages.decode.libav.pictures.upright import size_of
from pitwall_runtime.stages.decode.port import MAX_PIXELS, Ended

_MILLISECOND = Fraction(1, 1000)


def is_webp(path: str) -> bool:
    """Whether the file begins as WebP does."""
    if not Path(path).is_file():
        return False
    with Path(path).open("rb") as file:
        head = file.read(12)
    return head[:4] == b"RIFF" and head[8:12] == b"WEBP"


def read_webp(path: str, spec: PoolSpec) -> Iterator[Frame | Ended]:
    """See `Decoder.read`; times are the pictures' own durations, end to end."""
    instants, at = Instants(spec, _MILLISECOND), 0
    try:
        with Image.open(path, formats=("WEBP",)) as image:
            if image.width * image.height > MAX_PIXELS:
                raise MediaTooLargeError(
                    f"the picture is {image.width}×{image.height}; the limit is 8192×4320, scale it down"
                )
            count = getattr(image, "n_frames", 1)
            if count == 1:
                raise NotAVideoError(STILL)
            for number in range(count):
                image.seek(number)
                image.load()
                said = round(image.info.get("duration", 0)) * _MILLISECOND
                duration = round(seconds_shown(said) / _MILLISECOND)
                picture = partial(_rgb, image.convert("RGB"), spec.height_pixels)
                yield from instants.show(Shown(at, duration, picture, key=number == 0))
                at += duration
    except Image.DecompressionBombError:
        raise MediaTooLargeError("the picture has more pixels than the limit of 8192×4320; scale it down") from None
    except (UnidentifiedImageError, OSError, EOFError, SyntaxError):
        raise NotAVideoError("the WebP picture is damaged; send it again") from None
    yield from instants.close(at)


def _rgb(image: Image.Image, height: int) -> Rgb:
    """Upright by its EXIF, as browsers show it."""
    image = ImageOps.exif_transpose(image)
    size = size_of(image.width, image.height, height)
    return np.array(image if size == image.size else image.resize(size, Image.Resampling.BICUBIC))

"""How pool frames are kept, whatever the store: JPEGs of one quality, and only so many bytes of one video."""

import io
from typing import Final

import numpy as np
from PIL import Image

from pitwall_runtime.errors import MediaBrokenError, MediaTooLargeError
from pitwall_runtime.media import Frame, Rgb

POOL_BYTES: Final = 4 << 30
"""Of one pool: 50 000 frames at 240 lines take about 1 GiB."""

_QUALITY: Final = 88


class Held:
    """Tells frames that show the picture before them: slides, screen recordings in which nothing moves."""

    def __init__(self) -> None:
        self._image: Rgb | None = None

    def still(self, frame: Frame) -> bool:
        """Whether this frame is, pixel by pixel, the one before it."""
        before, self._image = self._image, frame.image
        return before is frame.image or (before is not None and np.array_equal(before, frame.image))


def encoded(frame: Frame) -> bytes:
    """The frame's JPEG. Raises MediaBrokenError for a picture that can be none."""
    buffer = io.BytesIO()
    try:
        Image.fromarray(frame.image).save(buffer, "JPEG", quality=_QUALITY)
    except (OSError, ValueError) as error:  # a buffer is never full: it is the encoder that refuses
        height, width = frame.image.shape[:2]
        raise MediaBrokenError(
            f"a picture of {width}×{height} pixels cannot be kept as JPEG ({error}); re-encode the video"
        ) from None
    return buffer.getvalue()


def check_size(pool_bytes: int, limit: int = POOL_BYTES) -> None:
    """Raises MediaTooLargeError for a pool that takes too much."""
    if pool_bytes > limit:
        raise MediaTooLargeError(
            f"the pool of this video takes more than {limit} bytes; lower decode.framesPerMinute or heightPixels"
        )

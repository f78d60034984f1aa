"""How pool frames are kept, whatever the store: JPEGs of one quality, and only so many bytes of one video."""

import io
from typing import Final

from PIL import Image

from pitwall_runtime.errors import MediaTooLargeError
from pitwall_runtime.media import Frame

POOL_BYTES: Final = 4 << 30
"""Of one pool: 50 000 frames at 240 lines take about 1 GiB."""

_QUALITY: Final = 88


def encoded(frame: Frame) -> bytes:
    """The frame's JPEG."""
    buffer = io.BytesIO()
    Image.fromarray(frame.image).save(buffer, "JPEG", quality=_QUALITY)
    return buffer.getvalue()


def check_size(pool_bytes: int, limit: int = POOL_BYTES) -> None:
    """Raises MediaTooLargeError for a pool that takes too much."""
    if pool_bytes > limit:
        raise MediaTooLargeError(
            f"the pool of this video takes more than {limit} bytes; lower decode.framesPerMinute or heightPixels"
        )

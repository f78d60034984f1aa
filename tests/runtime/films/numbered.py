"""Pictures that tell which frame they are, and how they were turned or stretched.

The top quarter holds 16 blocks, black for 0 and white for 1: the frame's number, highest bit left. A red mark stands in
the bottom left corner, a green one in the bottom right, each an eighth of the width and a quarter of the height.
"""

from dataclasses import dataclass

import numpy as np

SCENES = ((40, 60, 160), (200, 180, 60), (170, 60, 150), (90, 90, 90), (60, 170, 180), (225, 225, 225))
SCENE_FRAMES = 75


@dataclass(frozen=True)
class Seen:
    """What a picture shows: its number, and its width by its height without bars."""

    number: int
    aspect: float


def picture(number: int, width: int = 320, height: int = 240) -> np.ndarray:
    """RGB; what is between the marks changes its colour every 75 frames."""
    image = np.empty((height, width, 3), np.uint8)
    image[:] = SCENES[number // SCENE_FRAMES % len(SCENES)]
    for bit in range(16):
        image[: height // 4, bit * width // 16 : (bit + 1) * width // 16] = 255 * (number >> (15 - bit) & 1)
    image[-(height // 4) :, : width // 8] = (230, 20, 20)
    image[-(height // 4) :, -(width // 8) :] = (20, 200, 20)
    return image


def read(image: np.ndarray) -> Seen | None:
    """None unless red stands bottom left and green bottom right. Bars around the picture do not matter."""
    red, green, blue = (image[..., channel].astype(int) for channel in range(3))
    left = _box((red > 140) & (green < 105) & (blue < 105))
    right = _box((green > 120) & (red < 110) & (blue < 110))
    if left is None or right is None:
        return None
    top, bottom, first, _ = left
    last = right[3]
    height, width = 4 * (bottom - top), last - first
    if first >= right[2] or abs(bottom - right[1]) > 4 or bottom < image.shape[0] / 2 or width < 32:
        return None
    grey, start = image.astype(float).mean(2), bottom - height
    rows = slice(max(0, round(start + height / 16)), max(1, round(start + height * 3 / 16)))
    number = 0
    for bit in range(16):
        columns = slice(round(first + (bit + 0.3) * width / 16), round(first + (bit + 0.7) * width / 16) + 1)
        number = 2 * number + int(grey[rows, columns].mean() > 128)
    return Seen(number, width / height)


def _box(mask: np.ndarray) -> tuple[int, int, int, int] | None:
    """Top, bottom, left, right of what is filled, half-open; stray pixels are left out."""
    rows, columns = mask.sum(1), mask.sum(0)
    if mask.sum() < 16:
        return None
    ys, xs = np.flatnonzero(rows > rows.max() / 2), np.flatnonzero(columns > columns.max() / 2)
    return int(ys[0]), int(ys[-1]) + 1, int(xs[0]), int(xs[-1]) + 1

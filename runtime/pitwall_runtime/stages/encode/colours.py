"""A simple encoder that knows only colours: pictures and colour words in one space of five numbers.

For tests and dry runs: it needs neither weights nor torch, but is a real encoder all the same.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from pitwall_crds.variant.variant import EncoderSpec
from pitwall_runtime.media import Embedded, EmbeddingShape, Floats, Rgb

_SIDE = 2
_COLOURS: Final[dict[str, tuple[int, int, int]]] = {
    "black": (0, 0, 0),
    "red": (255, 0, 0),
    "green": (0, 255, 0),
    "blue": (0, 0, 255),
    "yellow": (255, 255, 0),
    "white": (255, 255, 255),
}


class Colours:
    """Nearness to red, green, blue, and how bright."""

    def __init__(self, spec: EncoderSpec) -> None:
        self.key = f"colours-{spec.revision}-g{_SIDE}".replace("/", "_")
        self.label_names = tuple(_COLOURS)
        self.shape = EmbeddingShape(5, _SIDE, 1)

    def encode_images(self, images: Sequence[Rgb]) -> Embedded:
        """The mean colour of each picture and of its four quarters, and the nearest colour's name."""
        quarters = np.stack([_quarters(image) for image in images])
        means = quarters.mean((1, 2))
        palette = np.array(list(_COLOURS.values()), np.float32)
        nearest = np.linalg.norm(means[:, None] - palette, axis=-1).argmin(1)
        return Embedded(_vectors(means), _vectors(quarters).astype(np.float16), nearest[:, None].astype(np.int16))

    def encode_text(self, text: str) -> Floats:
        """The mean of the colours that are named; no colour is a direction of its own."""
        named = [_COLOURS[word] for word in text.lower().split() if word in _COLOURS]
        if not named:
            return np.array([0, 0, 0, 0, 1], np.float32)
        vector: Floats = _vectors(np.array(named, np.float32).mean(0))
        return vector


def _quarters(image: Rgb) -> Floats:
    height, width = image.shape[0] // _SIDE, image.shape[1] // _SIDE
    cut = image[: height * _SIDE, : width * _SIDE].reshape(_SIDE, height, _SIDE, width, 3)
    means: Floats = cut.mean((1, 3), dtype=np.float32)
    return means


def _vectors(colours: Floats) -> Floats:
    """[..., 3] colours to [..., 5] unit vectors."""
    scaled = colours / 255.0
    brightness = scaled.mean(-1, keepdims=True)
    rows = np.concatenate([scaled - brightness, brightness, np.full_like(brightness, 0.05)], axis=-1)
    unit: Floats = (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)
    return unit

"""The interface of every encoder. Its key names everything that changes its numbers, as part of every cache key."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from pitwall_runtime.media import Embedded, EmbeddingShape, Floats, Rgb


class Encoder(Protocol):
    """A joint image-text encoder."""

    @property
    def key(self) -> str:
        """Name, revision, weights and preprocessing, safe as a folder name."""

    @property
    def shape(self) -> EmbeddingShape:
        """Sizes of the output."""

    @property
    def label_names(self) -> Sequence[str]:
        """Names of the class numbers in `Embedded.labels`; empty if the encoder knows no classes."""

    def encode_images(self, images: Sequence[Rgb]) -> Embedded:
        """Embeddings of a batch of pictures of any size."""

    def encode_text(self, text: str) -> Floats:
        """Unit vector [D] of a question."""


def joined(parts: Sequence[Embedded]) -> Embedded:
    """Batches end to end."""
    return Embedded(
        np.concatenate([part.vectors for part in parts]),
        np.concatenate([part.grids for part in parts]),
        np.concatenate([part.labels for part in parts]),
    )

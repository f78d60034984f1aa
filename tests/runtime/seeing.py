"""A vision-language model made on the spot: a Qwen2-VL of 2 + 2 layers that learns within a minute to rate pictures.

It likes what is blue and knows nothing else, but it is the real architecture and looks at the real pixels.
"""

import base64
import contextlib
import http.server
import io
import json
import random
import threading
from collections.abc import Sequence
from typing import Any, Final

import torch
from PIL import Image
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    Qwen2TokenizerFast,
    Qwen2VLConfig,
    Qwen2VLForConditionalGeneration,
    Qwen2VLImageProcessorPil,
)

SPECIAL: Final = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>")
_MOST_STEPS: Final = 300
_LEARNT: Final = 0.03
_BATCH: Final = 6
_SIDE: Final = 56
"""Pixels of a side: four visual tokens."""


class TinyVlm:
    """Says `1: 5` of a picture that is blue and `1: 1` of all others."""

    def __init__(self, prompts: Sequence[str], seed: int = 7) -> None:
        """Trains on pictures of plain colours, asked by these prompts."""
        torch.manual_seed(seed)
        self.tokenizer = _tokenizer(prompts[0])
        self.ids = {name: self.tokenizer.convert_tokens_to_ids(name) for name in SPECIAL}
        self.model = Qwen2VLForConditionalGeneration(_config(len(self.tokenizer), self.ids)).float()
        self.processor = Qwen2VLImageProcessorPil(min_pixels=_SIDE**2, max_pixels=_SIDE**2)
        self._learn(prompts, random.Random(seed))
        self.asked = 0

    @torch.inference_mode()
    def reply(self, picture: Image.Image, prompt: str) -> str:
        """Its words about one picture."""
        self.asked += 1
        inputs = self._inputs([picture], [prompt])
        made = self.model.generate(
            **inputs, max_new_tokens=6, do_sample=False,
            eos_token_id=self.ids["<|im_end|>"], pad_token_id=self.ids["<|endoftext|>"],
        )  # fmt: skip
        return str(self.tokenizer.decode(made[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True))

    def _learn(self, prompts: Sequence[str], chance: random.Random) -> None:
        optimizer = torch.optim.AdamW(self.model.parameters(), lr=2e-3)
        for _ in range(_MOST_STEPS):
            colours = [_colour(chance, blue=index % 2 == 0) for index in range(_BATCH)]
            targets = [f"1: {5 if index % 2 == 0 else 1}<|im_end|>" for index in range(_BATCH)]
            pictures = [Image.new("RGB", (_SIDE, _SIDE), colour) for colour in colours]
            inputs = self._inputs(pictures, chance.choices(prompts, k=_BATCH), targets)
            labels = inputs["input_ids"].clone()
            labels[:, : -len(self.tokenizer(targets[0])["input_ids"])] = -100
            loss = self.model(**inputs, labels=labels).loss
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if float(loss) < _LEARNT:
                break
        self.model.train(False)

    def _inputs(
        self, pictures: Sequence[Image.Image], prompts: Sequence[str], ends: Sequence[str] = ()
    ) -> dict[str, Any]:
        """One picture and one prompt a row; ends stand one below the other."""
        seen = self.processor(images=[picture.resize((_SIDE, _SIDE)) for picture in pictures], return_tensors="pt")
        tokens = int(seen["image_grid_thw"][0].prod()) // 4
        image = f"<|vision_start|>{'<|image_pad|>' * tokens}<|vision_end|>"
        texts = [
            f"<|im_start|>user\n{image}{prompt}<|im_end|>\n<|im_start|>assistant\n{end}"
            for prompt, end in zip(prompts, ends or [""] * len(prompts), strict=True)
        ]
        rows = self.tokenizer(texts, return_tensors="pt", padding=True, padding_side="left")
        kinds = (rows["input_ids"] == self.ids["<|image_pad|>"]).int()
        return {
            "input_ids": rows["input_ids"],
            "attention_mask": rows["attention_mask"],
            "mm_token_type_ids": kinds,
            **seen,
        }


class TinyVlmServer(http.server.ThreadingHTTPServer):
    """An OpenAI-compatible server around the model. After `quick` replies it thinks until `go` is set."""

    daemon_threads = True

    def __init__(self, model: TinyVlm) -> None:
        super().__init__(("127.0.0.1", 0), TinyVlmHandler)
        self.model, self.quick, self.go, self.guard = model, 10_000, threading.Event(), threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def answer(self, parts: Sequence[dict[str, Any]]) -> str:
        """The model's words about the one picture among the parts."""
        (url,) = (part["image_url"]["url"] for part in parts if part["type"] == "image_url")
        picture = Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).convert("RGB")
        with self.guard:
            if self.model.asked >= self.quick:
                self.go.wait()
            return self.model.reply(picture, parts[-1]["text"])


class TinyVlmHandler(http.server.BaseHTTPRequestHandler):
    server: TinyVlmServer

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        words = self.server.answer(body["messages"][0]["content"])
        content = json.dumps({"choices": [{"message": {"content": words}}]}).encode()
        with contextlib.suppress(OSError):  # who asked has left
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        pass


def _colour(chance: random.Random, *, blue: bool) -> tuple[int, int, int]:
    """A blue; or a red, a green, a yellow, a grey."""
    dim, bright = chance.randrange(60), chance.randrange(120, 256)
    others = ((bright, dim, dim), (dim, bright, dim), (bright, bright, dim), (bright, bright, bright), (dim, dim, dim))
    return (dim, dim, bright) if blue else chance.choice(others)


def _tokenizer(text: str) -> Qwen2TokenizerFast:
    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=600, initial_alphabet=alphabet, show_progress=False)
    raw.train_from_iterator([text, "user assistant 1: 5 1: 1"] * 3, trainer)
    saved = json.loads(raw.to_str())["model"]
    merges = [tuple(pair) if isinstance(pair, list) else tuple(pair.split(" ")) for pair in saved["merges"]]
    return Qwen2TokenizerFast(
        vocab=saved["vocab"], merges=merges, eos_token="<|im_end|>", pad_token="<|endoftext|>",
        unk_token="<|endoftext|>", additional_special_tokens=list(SPECIAL),
    )  # fmt: skip


def _config(words: int, ids: dict[str, int]) -> Qwen2VLConfig:
    hidden = 64
    return Qwen2VLConfig(
        text_config={
            "vocab_size": (words + 63) // 64 * 64, "hidden_size": hidden, "intermediate_size": 128,
            "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1,
            "max_position_embeddings": 2048, "tie_word_embeddings": False,
            "rope_parameters": {"rope_type": "default", "type": "mrope", "mrope_section": [4, 6, 6], "rope_theta": 1e4},
            "bos_token_id": ids["<|endoftext|>"], "eos_token_id": ids["<|im_end|>"],
            "pad_token_id": ids["<|endoftext|>"],
        },
        vision_config={
            "depth": 2, "embed_dim": 32, "num_heads": 2, "hidden_size": hidden, "mlp_ratio": 2, "in_channels": 3,
            "patch_size": 14, "spatial_merge_size": 2, "temporal_patch_size": 2,
        },
        image_token_id=ids["<|image_pad|>"], vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"], tie_word_embeddings=False,
    )  # fmt: skip

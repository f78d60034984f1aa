"""Shares one encoder between questions: batches frames, remembers question vectors, and counts how long it was busy."""

import io
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial

import numpy as np
from PIL import Image

from pitwall_runtime.errors import EncoderFailedError
from pitwall_runtime.media import Embedded, Floats, Rgb
from pitwall_runtime.stages.encode.port import Encoder, joined
from pitwall_runtime.stages.encode.questions import QuestionStore
from pitwall_runtime.stores.embeddings.soundness import finite_rows

ENCODER_WORKERS = min(4, os.cpu_count() or 1)
"""Batches encoded at once. Each worker's numeric library uses the threads the process pinned: one, when serving."""

_QUESTIONS_REMEMBERED = 8192


class EncoderPool:
    """One encoder for all threads of the process. `on_busy` is told for how many seconds the whole pool was busy, and
    for a question of which arm (empty: for none)."""

    def __init__(
        self,
        encoder: Encoder,
        batch_size: int,
        on_busy: Callable[[float, str], None],
        questions: QuestionStore | None = None,
    ) -> None:
        self.encoder = encoder
        self._questions = questions
        self.frames_encoded = 0
        self._batch_size = batch_size
        self._on_busy = on_busy
        self._workers = ThreadPoolExecutor(ENCODER_WORKERS, thread_name_prefix="encode")
        self._text = lru_cache(maxsize=_QUESTIONS_REMEMBERED)(self._encode_text)

    def images(self, jpegs: Sequence[bytes], arm: str = "") -> Embedded:
        """Embeddings of `jpegs`, in order, computed in batches. Raises EncoderFailedError."""
        batches = [jpegs[start : start + self._batch_size] for start in range(0, len(jpegs), self._batch_size)]
        parts = list(self._workers.map(partial(self._encode_batch, arm=arm), batches))
        self.frames_encoded += len(jpegs)
        made = joined(parts)
        broken = len(jpegs) - int(finite_rows(made).sum())
        if broken:
            raise EncoderFailedError(
                f"the encoder gave what are no finite numbers for {broken} of {len(jpegs)} pictures; "
                "look at its weights, and at the machine's GPU"
            )
        return made

    def text(self, question: str, arm: str = "") -> Floats:
        """Unit vector of a question; the same question costs nothing the second time. Raises EncoderFailedError."""
        return self._text(question, arm)

    def _encode_batch(self, jpegs: Sequence[bytes], arm: str) -> Embedded:
        images = [_pixels(jpeg) for jpeg in jpegs]
        started = time.perf_counter()
        embedded = self.encoder.encode_images(images)
        self._on_busy((time.perf_counter() - started) / ENCODER_WORKERS, arm)
        return embedded

    def _encode_text(self, question: str, arm: str) -> Floats:
        known = self._questions.get(question) if self._questions else None
        if known is not None:
            return known
        started = time.perf_counter()
        vector = self.encoder.encode_text(question)
        self._on_busy((time.perf_counter() - started) / ENCODER_WORKERS, arm)
        if not np.isfinite(vector).all():
            raise EncoderFailedError("the encoder gave no finite numbers for the question; look at its weights")
        if self._questions:
            self._questions.put(question, vector)
        return vector


def _pixels(jpeg: bytes) -> Rgb:
    return np.asarray(Image.open(io.BytesIO(jpeg)).convert("RGB"))

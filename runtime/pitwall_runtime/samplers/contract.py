"""The contract of every sampler: what it is given (SamplerContext), what it gives (Selection), how it is declared.

Version 1. Everything that a plug-in needs to import stands here; `Selection` is in `pitwall_runtime.media`.
"""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel

from pitwall_crds.variant.variant import Stability
from pitwall_runtime.errors import AllowanceSpentError, NoModelError, RefusedError
from pitwall_runtime.media import Caption, Floats, Selection, Shot

__all__ = [
    "CONTRACT", "Allowance", "Caption", "Detection", "FeatureSource", "FrameModel", "Indices", "Input", "Meter",
    "Sampler", "SamplerContext", "Seconds", "Select", "Signals", "Stability", "finite",
]  # fmt: skip

CONTRACT: Final = 1
"""The version of this contract. It grows when a sampler written for the last one could break."""

Seconds = npt.NDArray[np.float64]
Indices = Sequence[int] | npt.NDArray[np.integer[Any]]


class Input(StrEnum):
    """What a sampler looks at beside times and shots; `pitwall_crds.variant.builtin.PROVIDES` are always there."""

    SCORES = "scores"
    EMBEDDINGS = "embeddings"
    KEY_FRAMES = "key-frames"
    SUBTITLES = "subtitles"
    DETECTIONS = "detections"
    MODEL = "model"


@dataclass(frozen=True, slots=True)
class Detection:
    """One object in one pool frame: its class, and how sure the detector is, 0 to 1."""

    index: int
    label: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Signals:
    """What may be known of a video beside its pictures. None: nobody looked; an empty tuple: there is none.

    `key_frames` are the pool frames, in time order, before which the video's encoder stored a picture whole (an
    I-frame): each is the first to show it or what follows it.
    """

    key_frames: tuple[int, ...] | None = None
    subtitles: tuple[Caption, ...] | None = None
    detections: tuple[Detection, ...] | None = None


@dataclass(frozen=True, slots=True)
class Allowance:
    """What choosing may cost: milliseconds of the sampler's own, calls of a model, distinct frames scored.

    The encoder's time is not the sampler's own; waiting for a model is. `scored_frames` None is the whole pool.
    """

    milliseconds: float = 30_000.0
    model_calls: int = 8
    scored_frames: int | None = None


class FeatureSource(Protocol):
    """Where scores and embeddings come from; computed when first asked for, and not before. None is the whole pool."""

    def embeddings(self, indices: Indices | None) -> Floats:
        """[M, dimension], unit rows."""

    def scores(self, indices: Indices | None, query: str) -> Floats:
        """[M], relevance to a text; of the packaged encoders, the cosine."""


class FrameModel(Protocol):
    """A language model that can be shown pool frames."""

    async def ask(self, prompt: str, indices: Sequence[int]) -> str:
        """Its words. Raises UnavailableError if it does not answer."""


@dataclass(slots=True)
class Meter:
    """What a sampler has spent on one question so far."""

    started: float = field(default_factory=time.perf_counter)
    feature_seconds: float = 0.0
    model_calls: int = 0
    scored: set[tuple[str, int]] = field(default_factory=set)
    refused: RefusedError | None = None
    _encoding_since: float | None = None

    @property
    def own_milliseconds(self) -> float:
        """Time since the start without the encoder's, which may be at work just now."""
        now, since = time.perf_counter(), self._encoding_since
        encoding = now - since if since is not None else 0.0
        return (now - self.started - self.feature_seconds - encoding) * 1000

    @contextmanager
    def encoding(self) -> Iterator[None]:
        """What happens inside is the encoder's time, and its refusal (no more time, say) not the sampler's fault."""
        began = self._encoding_since = time.perf_counter()
        try:
            yield
        except RefusedError as error:
            self.refused = error
            raise
        finally:
            self.feature_seconds += time.perf_counter() - began
            self._encoding_since = None


@dataclass(slots=True)
class SamplerContext:
    """Everything that a sampler may know of one question on one video, N pool frames.

    `pts_seconds` [N] rises strictly; frame i shows for `durations_seconds[i]`, so the video ends at the sum of the last
    two. Shots are half-open ranges of pool frames that tile the pool. `sub_questions` are parts of the question, if
    it has more than one. The same seed means the same question on the same video.
    """

    pts_seconds: Seconds
    durations_seconds: Seconds
    shots: tuple[Shot, ...]
    question: str
    max_frames: int
    seed: int
    features: FeatureSource
    sub_questions: tuple[str, ...] = ()
    signals: Signals = Signals()
    allowance: Allowance = Allowance()
    model: FrameModel | None = None
    meter: Meter = field(default_factory=Meter)

    @property
    def pool_size(self) -> int:
        """Number of pool frames, N."""
        return int(self.pts_seconds.shape[0])

    @property
    def budget(self) -> int:
        """How many frames must be chosen, K = min(max_frames, N)."""
        return min(self.max_frames, self.pool_size)

    @property
    def end_seconds(self) -> float:
        """When the video ends."""
        return float(self.pts_seconds[-1] + self.durations_seconds[-1])

    @property
    def milliseconds_left(self) -> float:
        """What is left of the allowance; a sampler that searches should stop with its best so far before it is 0."""
        return self.allowance.milliseconds - self.meter.own_milliseconds

    def embeddings(self, indices: Indices | None = None) -> Floats:
        """Unit embeddings [M, D] of the given frames, or of the whole pool; frames that nobody encoded yet are now."""
        with self.meter.encoding():
            rows = np.asarray(self.features.embeddings(indices), dtype=np.float32)
        return rows if np.isfinite(rows).all() else np.nan_to_num(rows, nan=0.0, posinf=0.0, neginf=0.0)

    def scores(self, query: str = "") -> Floats:
        """Relevance [N] of every pool frame to the question, or to another text; always finite.

        NaN and -∞ count as the least finite score, +∞ as the greatest. Raises AllowanceSpentError as `score` does.
        """
        return self._scores(None, query)

    def score(self, indices: Indices, query: str = "") -> Floats:
        """Relevance [M] of the given frames alone; each distinct frame and text counts against `scored_frames`.

        Raises AllowanceSpentError if more is asked than the allowance leaves; nothing is scored then.
        """
        return self._scores(indices, query)

    async def ask(self, prompt: str, indices: Sequence[int] = ()) -> str:
        """What the model says to these frames. For `async` samplers; counts against `model_calls`.

        Raises NoModelError where the variant has none, AllowanceSpentError when calls or time are spent (a slow answer
        is cut off), and UnavailableError if the model does not answer.
        """
        if self.model is None:
            raise NoModelError("this variant has no model that can be shown frames; set answer.engine to openai")
        if self.meter.model_calls >= self.allowance.model_calls:
            raise AllowanceSpentError(f"all {self.allowance.model_calls} calls of the model are spent")
        self.meter.model_calls += 1
        try:
            return await asyncio.wait_for(self.model.ask(prompt, indices), max(0.0, self.milliseconds_left / 1000))
        except TimeoutError:
            raise AllowanceSpentError(
                f"the {self.allowance.milliseconds:g} ms of choosing are over, and the model had not answered yet"
            ) from None

    def random(self) -> np.random.Generator:
        """A generator that draws the same numbers for the same question."""
        return np.random.default_rng(self.seed)

    def _scores(self, indices: Indices | None, query: str) -> Floats:
        text = query or self.question
        wanted = range(self.pool_size) if indices is None else [int(index) for index in indices]
        self._count_scored({(text, index) for index in wanted})
        with self.meter.encoding():
            raw = np.asarray(self.features.scores(indices, text), dtype=np.float32)
        return finite(raw)

    def _count_scored(self, asked: set[tuple[str, int]]) -> None:
        limit = self.allowance.scored_frames
        if limit is None:
            return
        together = len(self.meter.scored | asked)
        if together > limit:
            raise AllowanceSpentError(
                f"{together} frames would be scored, {limit} are allowed; ask for fewer, or raise the allowance"
            )
        self.meter.scored |= asked


def finite(raw: Floats) -> Floats:
    """Scores without holes: NaN and -∞ become the least finite one, +∞ the greatest; nothing finite becomes zeros."""
    known = np.isfinite(raw)
    if known.all():
        return raw
    if not known.any():
        return np.zeros_like(raw)
    least, most = float(raw[known].min()), float(raw[known].max())
    return np.nan_to_num(raw, nan=least, neginf=least, posinf=most)


Select = Callable[[SamplerContext, Any], Selection | Awaitable[Selection]]
"""(context, its own parameters) -> exactly `context.budget` pool frames; plain, or `async` with a model in the loop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampler:
    """The declaration of a sampler: what the catalogue or an entry point of the group `pitwall.samplers` names.

    `parameters` is a pydantic model, of which `select` gets an instance, or a JSON schema (draft 2020-12) of an object,
    of which it gets a mapping with the defaults filled in. `contract` is the version that it was written for. `uses` is
    what it looks at; without an optional signal it must still choose. `needs` is what of this it cannot do without: a
    variant that does not provide it is refused before its first question. That a video has no subtitles, say, is no
    lack of the signal: it is there, and empty. `summary` says the idea in a sentence, `source` where it comes from.
    """

    name: str
    select: Select
    parameters: type[BaseModel] | Mapping[str, Any]
    contract: int
    stability: Stability
    summary: str
    source: str = ""
    uses: frozenset[Input] = frozenset()
    needs: frozenset[Input] = frozenset()

    @property
    def is_async(self) -> bool:
        """Whether it may wait for a model while others choose."""
        return inspect.iscoroutinefunction(self.select)

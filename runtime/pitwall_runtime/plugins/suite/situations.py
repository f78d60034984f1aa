"""The situations that every sampler must choose in: ordinary ones, awkward ones, and ten hours of video."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import pairwise
from typing import Any, Final

import numpy as np

from pitwall_runtime.errors import UnavailableError
from pitwall_runtime.media import Floats, Shot
from pitwall_runtime.samplers.contract import (
    Allowance,
    Caption,
    Detection,
    FrameModel,
    Indices,
    Input,
    SamplerContext,
    Seconds,
    Signals,
)
from pitwall_runtime.samplers.offline import durations, rows_of

DIMENSION: Final = 64
TEN_HOURS: Final = 36_000
_FILM: Final = 597
_QUESTION: Final = "When does the squirrel draw its bow?"


class RawFeatures:
    """Arrays as an encoder gives them, holes and all; they are read-only, as everybody's frames should be."""

    def __init__(self, scores: Floats, embeddings: Floats) -> None:
        self._scores, self._embeddings = _sealed(scores), _sealed(embeddings)

    def embeddings(self, indices: Indices | None) -> Floats:
        """[M, D]."""
        return rows_of(self._embeddings, indices)

    def scores(self, indices: Indices | None, query: str) -> Floats:
        """[M]; another text has the same curve, later."""
        scores = self._scores if query in {"", _QUESTION} else np.roll(self._scores, len(query))
        return rows_of(scores, indices)


@dataclass(frozen=True, slots=True)
class CannedModel:
    """A model that always says the same; without words it cannot be reached."""

    words: str = ""

    async def ask(self, prompt: str, indices: Sequence[int]) -> str:
        """The words."""
        del prompt, indices
        if not self.words:
            raise UnavailableError("the model does not answer")
        return self.words


@dataclass(frozen=True, slots=True)
class Situation:
    """A question on a video, made anew for every run; `is_long` may take longer. `parameters` are the sampler's."""

    name: str
    make: Callable[[], SamplerContext]
    is_long: bool = False
    parameters: Mapping[str, Any] = field(default_factory=dict)


@lru_cache(maxsize=4)
def film(count: int, dimension: int = DIMENSION) -> tuple[Floats, Floats, tuple[Shot, ...]]:
    """Scores with two peaks, embeddings that drift within a shot and jump between two, and the shots."""
    chance = np.random.default_rng(count)
    edges = [0, *range(7, count, 13), count] if count > 7 else [0, count]
    shots = tuple(Shot(start, end) for start, end in pairwise(edges) if end > start)
    rows = chance.normal(scale=0.3, size=(count, dimension)).astype(np.float32)
    for shot in shots:
        rows[shot.start : shot.end] += chance.normal(size=dimension)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    scores = chance.uniform(0, 0.1, count).astype(np.float32)
    for peak in (count // 7, 3 * count // 4):
        scores[peak : peak + 3] += 0.3
    return _sealed(scores), _sealed(rows), shots


def situation(name: str, count: int = _FILM, budget: int = 8, **changes: Any) -> Situation:
    """A film of `count` frames with some of its properties changed: scores, embeddings, or fields of the context."""

    def make() -> SamplerContext:
        scores, rows, shots = film(count)
        features = RawFeatures(changes.get("scores", scores), changes.get("embeddings", rows))
        pts: Seconds = changes.get("pts_seconds", np.arange(count, dtype=np.float64))
        context = SamplerContext(
            pts_seconds=_sealed(pts),
            durations_seconds=_sealed(durations(pts)),
            shots=shots,
            question=_QUESTION,
            max_frames=budget,
            seed=7,
            features=features,
        )
        fields = {name: value for name, value in changes.items() if name not in _ARRAYS}
        return replace(context, **fields)

    return Situation(name, make, is_long=count >= TEN_HOURS)


def another_film(count: int, budget: int) -> Situation:
    """As many frames and as large a budget as some other situation, and nothing else in common with it."""
    scores, rows, _ = film(count)
    return situation(
        "another film",
        count,
        budget,
        scores=scores[::-1],
        embeddings=rows[::-1],
        shots=(Shot(0, count),),
        pts_seconds=7 + 2 * np.arange(count, dtype=np.float64),
        question="Who laughs last?",
        seed=8,
    )


_ARRAYS: Final = frozenset({"scores", "embeddings", "pts_seconds"})


def all_situations() -> tuple[Situation, ...]:
    """All of them; the first is an ordinary one."""
    return (situation("a film"), *_budgets(), *_scores(), *_pictures(), *_words(), *_signals(), *_models(), *_lengths())


def provided(one: Situation, needs: frozenset[Input]) -> Situation:
    """The situation in a variant that has what the sampler cannot do without: where there was no signal, an empty one;
    where there was no model, one that likes everything."""

    def make() -> SamplerContext:
        context = one.make()
        missing = {
            name: () for need, name in _FIELDS.items() if need in needs and getattr(context.signals, name) is None
        }
        model = CannedModel("5") if Input.MODEL in needs and context.model is None else context.model
        return replace(context, signals=replace(context.signals, **missing), model=model)

    return replace(one, make=make) if needs else one


_FIELDS: Final = {Input.KEY_FRAMES: "key_frames", Input.SUBTITLES: "subtitles", Input.DETECTIONS: "detections"}


def _budgets() -> Iterator[Situation]:
    for budget in (1, 2, 3, 7, 10, 32, 48, 50, 100):
        yield situation(f"a budget of {budget}", budget=budget)
    yield situation("as many frames as the budget", count=8, budget=8)
    yield situation("one frame more than the budget", count=9, budget=8)
    yield situation("fewer frames than the budget", count=5, budget=8)
    yield situation("one frame, budget 4", count=1, budget=4)
    yield situation("two frames, budget 1", count=2, budget=1)


def _scores() -> Iterator[Situation]:
    scores = film(_FILM)[0]
    third = np.arange(_FILM) % 3 == 0
    yield situation("constant scores", scores=np.full(_FILM, 0.25, np.float32))
    yield situation("scores of zero", scores=np.zeros(_FILM, np.float32))
    yield situation("only NaN", scores=np.full(_FILM, np.nan, np.float32))
    yield situation("every third score NaN", scores=np.where(third, np.nan, scores).astype(np.float32))
    yield situation("every third score infinite", scores=np.where(third, np.inf, scores).astype(np.float32))
    yield situation("only minus infinity", scores=np.full(_FILM, -np.inf, np.float32))
    yield situation("one score that is not alike", scores=np.eye(1, _FILM, 300, dtype=np.float32)[0])
    yield situation("negative logits", scores=(scores * 40 - 60).astype(np.float32))
    yield situation("scores that hardly differ", scores=(0.5 + scores * 1e-6).astype(np.float32), budget=10)
    yield situation("very large scores", scores=(scores * 1e30).astype(np.float32))
    yield situation("the best frame first", scores=np.linspace(1, 0, _FILM, dtype=np.float32))
    yield situation("the best frame last", scores=np.linspace(0, 1, _FILM, dtype=np.float32), budget=10)


def _pictures() -> Iterator[Situation]:
    rows = film(_FILM)[1]
    holes = rows.copy()
    holes[::5] = np.nan
    yield situation("all pictures alike", embeddings=np.tile(rows[:1], (_FILM, 1)), budget=10)
    yield situation("embeddings of zeros", embeddings=np.zeros_like(rows), budget=10)
    yield situation("every fifth embedding NaN", embeddings=holes)
    yield situation("one shot", shots=(Shot(0, _FILM),), budget=10)
    yield situation("a shot for every frame", shots=tuple(Shot(k, k + 1) for k in range(_FILM)), budget=10)
    yield situation("frames at uneven times", pts_seconds=np.cumsum(1 + np.arange(_FILM) % 7).astype(np.float64))
    yield situation("a video that begins late", pts_seconds=1e5 + np.arange(_FILM) / 30)


def _words() -> Iterator[Situation]:
    yield situation("an empty question", question="")
    yield situation("a question in another script", question="リスはいつ弓を引きますか？ 🏹")
    yield situation("a long question", question=" ".join([_QUESTION] * 400))
    yield situation("sub-questions", sub_questions=("a squirrel", "a bow", ""))


def _signals() -> Iterator[Situation]:
    captions = tuple(Caption(float(k), k + 2.0, f"line {k} about a bow") for k in range(0, _FILM, 3))
    found = tuple(Detection(k, "squirrel", 0.5) for k in range(0, _FILM, 10))
    yield situation("all signals", signals=Signals(tuple(range(0, _FILM, 12)), captions, found), budget=10)
    yield situation("signals that found nothing", signals=Signals((), (), ()))
    yield situation("a single key frame", signals=Signals(key_frames=(0,)))
    beyond = (Caption(-5, -1, "x"), Caption(1e6, 2e6, "y"))
    yield situation("captions beyond the end", signals=Signals(subtitles=beyond))


def _models() -> Iterator[Situation]:
    models: tuple[tuple[str, FrameModel, Allowance], ...] = (
        ("a model that likes everything", CannedModel("5"), Allowance()),
        ("a model that talks nonsense", CannedModel("Frames ∞ to -3! {]"), Allowance()),
        ("a model that is away", CannedModel(), Allowance()),
        ("no call of the model left", CannedModel("5"), Allowance(model_calls=0)),
        ("no time left", CannedModel("5"), Allowance(milliseconds=0)),
    )
    for name, model, allowance in models:
        yield situation(name, model=model, allowance=allowance, budget=10)


def _lengths() -> Iterator[Situation]:
    yield situation("an hour, budget 64", count=3600, budget=64)
    yield situation("ten hours, budget 64", count=TEN_HOURS, budget=64)


def _sealed(array: Any) -> Any:
    """The array, read-only: a sampler that writes into what everybody reads is told where."""
    view = np.asarray(array).view()
    view.flags.writeable = False
    return view

"""Measures answers: the first one on a film, later ones, memory over many films, and growth with length."""

import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
from benchmarks.pipeline.films import different, fetched, small

from pitwall_crds.variant.variant import SamplerVariant
from pitwall_runtime.ingest.files import open_video
from pitwall_runtime.media import Stretch
from pitwall_runtime.pipeline.pipeline import Pipeline
from pitwall_runtime.pipeline.telemetry import RuntimeTelemetry

MAX_BYTES = 1 << 30
QUESTIONS = ("a rabbit", "arrows and a bow", "a butterfly", "a squirrel in a tree", "text credits")


@dataclass(frozen=True, slots=True)
class AnswerRow:
    """One number about answers. `stages` are the seconds of the first answer's, where it is one."""

    measure: str
    film_seconds: float
    value: float
    unit: str
    sampler: str
    encoder: str
    questions: int = 1
    videos: int = 1
    stages: str = ""


@dataclass(frozen=True, slots=True)
class AnswerPlan:
    """How much is measured: films of which lengths, and how many films of which length and questions for memory."""

    lengths: Sequence[int]
    videos: int
    questions_each: int
    video_seconds: int = 30
    encoder: str = "conse"
    whole_film: bool = True
    sampler: str = "aks"


WHOLE = AnswerPlan((600, 3600, 10_800), videos=20, questions_each=10)
BEGINNING = Stretch(0, 60)
QUICK = AnswerPlan((5, 10), videos=3, questions_each=4, video_seconds=5, encoder="colours", whole_film=False)


def measure(plan: AnswerPlan, folder: Path) -> Iterator[AnswerRow]:
    """All rows, in a process whose caches are empty at first."""
    yield from _memory(
        plan, different(folder, plan.videos, plan.video_seconds)
    )  # first: what a long film leaves would hide a leak
    films: list[tuple[Path, float, str]] = []
    if plan.whole_film:
        films.append((fetched("bbb"), 596.5, "Big Buck Bunny, 1280×720"))
    films += [(small(folder, seconds), float(seconds), "320×180, 5 a second") for seconds in plan.lengths]
    for film, seconds, shape in films:
        yield from _beginning(plan, film, seconds, shape)
        yield from _first_and_later(plan, film, seconds, shape)


def _beginning(plan: AnswerPlan, film: Path, seconds: float, shape: str) -> Iterator[AnswerRow]:
    """The first answer to a question about the film's beginning alone, with caches of its own."""
    with tempfile.TemporaryDirectory() as cache:
        pipeline, video = _pipeline(plan, Path(cache)), open_video(film, MAX_BYTES)
        started = time.perf_counter()
        pipeline.answer(video, QUESTIONS[0], "stable", stretch=BEGINNING)
        first = round(time.perf_counter() - started, 2)
        what = f"first answer about the first {BEGINNING.end_seconds:g} s, {shape}"
        yield AnswerRow(what, seconds, first, "s", plan.sampler, plan.encoder)


def _first_and_later(plan: AnswerPlan, film: Path, seconds: float, shape: str) -> Iterator[AnswerRow]:
    with tempfile.TemporaryDirectory() as cache:
        pipeline, video = _pipeline(plan, Path(cache)), open_video(film, MAX_BYTES)
        before = _mebibytes()
        started = time.perf_counter()
        result = pipeline.answer(video, QUESTIONS[0], "stable")
        first = time.perf_counter() - started
        stages = ", ".join(f"{name} {spent:.2f}" for name, spent in result.stages.items())
        yield AnswerRow(
            f"first answer, {shape}", seconds, round(first, 2), "s", plan.sampler, plan.encoder, stages=stages
        )
        later = []
        for number in range(20):
            started = time.perf_counter()
            pipeline.answer(video, f"{QUESTIONS[number % len(QUESTIONS)]} {number}", "stable")
            later.append(1000 * (time.perf_counter() - started))
        median = round(statistics.median(later), 1)
        yield AnswerRow(f"later answer, p50, {shape}", seconds, median, "ms", plan.sampler, plan.encoder, 20)
        grown = round(_mebibytes() - before, 1)
        yield AnswerRow(f"memory grown by, {shape}", seconds, grown, "MiB", plan.sampler, plan.encoder, 21)


def _memory(plan: AnswerPlan, films: Sequence[Path]) -> Iterator[AnswerRow]:
    """After each quarter of the films: what does not level off is a leak."""
    with tempfile.TemporaryDirectory() as cache:
        pipeline, asked = _pipeline(plan, Path(cache)), 0
        for number, film in enumerate(films, start=1):
            video = open_video(film, MAX_BYTES)
            for which in range(plan.questions_each):
                pipeline.answer(video, f"{QUESTIONS[which % len(QUESTIONS)]} {which}", "stable")
                asked += 1
            if number % max(1, len(films) // 4) == 0:
                held = round(_mebibytes(), 1)
                yield AnswerRow(
                    "memory of the process", plan.video_seconds, held, "MiB", plan.sampler, plan.encoder, asked, number
                )


def _pipeline(plan: AnswerPlan, cache: Path) -> Pipeline:
    spec = {"sampler": {"name": plan.sampler}, "encoder": {"name": plan.encoder}, "maxFrames": 8}
    variant = SamplerVariant.model_validate({"metadata": {"name": plan.sampler}, "spec": spec})
    return Pipeline(variant, cache, RuntimeTelemetry(plan.sampler, "stable"))


def _mebibytes() -> float:
    return float(psutil.Process().memory_info().rss) / 2**20

"""Asks one question with one sampler or several, on the same prepared video."""

import argparse
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from pydantic import BaseModel, ValidationError

from pitwall_crds.variant.builtin import DEFAULT_SAMPLER
from pitwall_crds.variant.variant import SamplerSpec, SamplerVariant
from pitwall_runtime.ask.sheet import SheetData, SheetRow, save_sheet
from pitwall_runtime.errors import BadQuestionError, MediaMissingError, MediaRefusedError
from pitwall_runtime.ingest.fetch.download import DownloadLimits
from pitwall_runtime.ingest.fragment import stretch_of
from pitwall_runtime.ingest.resolve import Resolver
from pitwall_runtime.media import WHOLE, Stretch, Video
from pitwall_runtime.pipeline.asked import AskedQuestion, Result
from pitwall_runtime.pipeline.pipeline import Pipeline
from pitwall_runtime.pipeline.telemetry import RuntimeTelemetry
from pitwall_runtime.pipeline.variant_file import read_variant
from pitwall_runtime.samplers import catalogue
from pitwall_runtime.serve.schema import check_question
from pitwall_runtime.stores.options import make_cache_folder

M = TypeVar("M", bound=BaseModel)

MOST_SAMPLERS = 6
"""So many colours can be told apart."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The question, and each sampler's result by what it was called on the command line."""

    pipeline: Pipeline
    question: AskedQuestion
    results: Mapping[str, Result]


def ask(arguments: argparse.Namespace) -> Asked:
    """Every sampler's answer. Raises RefusedError before anything is loaded, where that can be known."""
    words = arguments.question.strip()
    check_question(words)
    if _has_surrogates(words) or _has_surrogates(arguments.video):
        raise BadQuestionError("question and video must be UTF-8 text; check the terminal's encoding (locale)")
    if not arguments.video.strip():
        raise MediaRefusedError("no video: give a file, or a file:// or http(s):// address")
    _check_sheet(arguments.sheet)
    make_cache_folder(arguments.cache_dir)
    specs = _specs(arguments)
    variant = _variant(arguments, next(iter(specs.values())))
    samplers = {label: catalogue.build(spec) for label, spec in specs.items()}
    video, stretch = _video(arguments)
    pipeline = Pipeline(variant, arguments.cache_dir, RuntimeTelemetry("ask", "stable"))
    asked = pipeline.begin(video, words, "stable", stretch=stretch)
    results = {}
    for label, sampler in samplers.items():
        own = replace(asked, stages=dict(asked.stages))
        results[label] = pipeline.finish(own, pipeline.choose(own, sampler))
    return Asked(pipeline, asked, results)


def _has_surrogates(text: str) -> bool:
    """Whether the shell gave bytes that are no text (PEP 383)."""
    return any("\ud800" <= character <= "\udfff" for character in text)


def _video(arguments: argparse.Namespace) -> tuple[Video, Stretch]:
    """The film, by path or by address, and which part of it is meant.

    Who asks here may read what the shell lets them read: all folders are roots.
    """
    limits = DownloadLimits(allowed_hosts=frozenset(arguments.allow_host))
    resolver = Resolver((Path("/"),), arguments.cache_dir / "downloads", limits)
    part = stretch_of(f"#t={arguments.part}")[1] if arguments.part else None
    if "://" not in arguments.video:
        return resolver.local(Path(arguments.video)), part or WHOLE
    address, stretch = stretch_of(arguments.video.strip())
    return resolver.resolve(address), part or stretch


def draw(asked: Asked, target: Path) -> None:
    """The sheet of all results. Scores of the whole pool are computed for it, where no sampler asked for them."""
    pool = asked.question.pool
    edges = np.array([pool.seconds(index) for index in range(len(pool) + 1)])
    rows = [
        SheetRow(label, result.selection.indices, result.selection.diagnostics)
        for label, result in asked.results.items()
    ]
    data = SheetData(
        question=asked.question.question,
        edges_seconds=edges,
        shots=pool.shots,
        scores=asked.question.features.scores(),
        rows=rows,
        jpeg=lambda index: asked.pipeline.store.jpeg(pool, index),
    )
    save_sheet(data, target)


def _specs(arguments: argparse.Namespace) -> dict[str, SamplerSpec]:
    """The variant's own sampler first, then those of the command line, by what they are called there."""
    specs = {}
    if arguments.variant:
        own = read_variant(arguments.variant)
        specs[own.metadata.name] = own.spec.sampler
    named: Sequence[str] = arguments.sampler or ([] if specs else [DEFAULT_SAMPLER])
    specs.update({text: sampler_of(text) for text in named})
    if len(specs) > MOST_SAMPLERS:
        raise BadQuestionError(f"{len(specs)} samplers are too many to compare; at most {MOST_SAMPLERS} go on a sheet")
    return specs


def sampler_of(text: str) -> SamplerSpec:
    """`aks:peakThreshold=0.5,maxDepth=3`: a name, and parameters as a resource would hold them."""
    name, _, rest = text.partition(":")
    parameters = {}
    for part in filter(None, rest.split(",")):
        key, equals, value = part.partition("=")
        if not equals:
            raise BadQuestionError(f"--sampler {text}: {part!r} is no PARAMETER=VALUE")
        parameters[key] = _value(value)
    return _valid(SamplerSpec, {"name": name, "parameters": parameters}, f"--sampler {text}")


def _value(text: str) -> bool | int | str:
    if text in {"true", "false"}:
        return text == "true"
    return int(text) if re.fullmatch(r"-?\d{1,15}", text) else text


def _variant(arguments: argparse.Namespace, sampler: SamplerSpec) -> SamplerVariant:
    if arguments.variant:
        return read_variant(arguments.variant)
    answer = {"engine": arguments.engine, "endpointUrl": arguments.endpoint}
    spec = {"sampler": sampler.to_yaml_dict(), "maxFrames": arguments.max_frames, "answer": answer}
    return _valid(SamplerVariant, {"metadata": {"name": "ask"}, "spec": spec}, "")


def _valid(model: type[M], data: Mapping[str, Any], what: str) -> M:
    try:
        return model.model_validate(data)
    except ValidationError as error:
        problem = error.errors()[0]
        where = what or ".".join(map(str, problem["loc"]))
        raise BadQuestionError(f"{where} = {problem['input']!r}: {problem['msg']}") from None


def _check_sheet(target: Path | None) -> None:
    """A folder that is not there is better known before a minute of work than after."""
    if target and not target.parent.is_dir():
        raise MediaMissingError(f"--sheet {target}: folder {target.parent} does not exist; make it first")

"""The film of the examples: relevance by the runtime's own encoder, evidence as annotated in examples/film."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from benchmarks.evidence.cases import EvidenceCase, Interval, length_of
from examples.demo.annotations import Annotations, load

from pitwall_crds.variant.variant import SamplerVariant
from pitwall_runtime.ask.__main__ import default_cache_dir
from pitwall_runtime.ingest.resolve import Resolver
from pitwall_runtime.pipeline.pipeline import Pipeline
from pitwall_runtime.pipeline.telemetry import RuntimeTelemetry

VARIANT = {"metadata": {"name": "evidence"}, "spec": {"sampler": {"name": "uniform"}}}


def read(film: Path, cache_dir: Path | None = None) -> Iterator[EvidenceCase]:
    """One case for each annotated question. The first use decodes and encodes the film: minutes on two cores."""
    cache = cache_dir or default_cache_dir()
    annotations = load()
    pipeline = Pipeline(SamplerVariant.model_validate(VARIANT), cache, RuntimeTelemetry("evidence", ""))
    video = Resolver((), cache / "downloads").local(film)
    for question in annotations.questions:
        with pipeline.begin(video, question.ask, "evidence") as asked:
            yield EvidenceCase(
                name=question.id,
                relevance=asked.features.scores(),
                embeddings=asked.features.embeddings(),
                seconds=np.array([asked.pool.seconds(index) for index in range(len(asked.pool))]),
                shots=asked.pool.shots,
                evidence=merged(annotations, question.moments),
                length=length_of(annotations.duration_seconds),
            )


def merged(annotations: Annotations, moments: tuple[str, ...]) -> tuple[Interval, ...]:
    """The moments in time order; those that overlap or touch are one, since one frame may show both."""
    found: list[Interval] = []
    for one in sorted((annotations.moments[name] for name in moments), key=lambda moment: moment.start_seconds):
        if found and one.start_seconds <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], one.end_seconds))
        else:
            found.append((one.start_seconds, one.end_seconds))
    return tuple(found)

"""`pitwall sample --scores S.npy --sampler X --budget K`: a selection from plain arrays, as JSON, so that others can
score our samplers with their own features, questions and metrics."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from pitwall_runtime.errors import BadVariantError, RefusedError
from pitwall_runtime.media import Floats, Selection, Shot
from pitwall_runtime.plugins.locate import locate
from pitwall_runtime.samplers.catalogue import bind
from pitwall_runtime.samplers.contract import SamplerContext, Seconds
from pitwall_runtime.samplers.offline import offline_context

MOST_FRAMES: Final = 2_000_000
"""More than five hundred hours at one frame a second."""


def context_of(arguments: argparse.Namespace) -> SamplerContext:
    """The context of the arrays. Raises ValueError with the file, what is wrong with it and what would be right."""
    scores = _array(arguments.scores, 1)
    if not 1 <= len(scores) <= MOST_FRAMES:
        raise ValueError(f"{arguments.scores} has {len(scores)} scores; give 1 to {MOST_FRAMES}, one per frame")
    embeddings = _rows(arguments.embeddings, len(scores)) if arguments.embeddings else None
    return offline_context(
        scores,
        arguments.budget,
        embeddings=embeddings,
        pts_seconds=_times(arguments.times, len(scores)) if arguments.times else None,
        shots=_shots(arguments.shots, len(scores)) if arguments.shots else (),
        question=arguments.question,
        seed=arguments.seed,
    )


def _array(path: Path, dimensions: int) -> Floats:
    try:
        found: npt.NDArray[Any] = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ValueError(f"{path} is no .npy file: {error}") from None
    if not isinstance(found, np.ndarray) or found.ndim != dimensions or found.dtype.kind not in "fiu":
        shape = getattr(found, "shape", "several arrays")
        raise ValueError(f"{path} holds {shape}; give numbers with {dimensions} dimension{'s' * (dimensions > 1)}")
    return found.astype(np.float32)


def _rows(path: Path, count: int) -> Floats:
    """Embeddings with unit rows; rows of nothing stay so."""
    rows = _array(path, 2)
    if len(rows) != count:
        raise ValueError(f"{path} has {len(rows)} rows for {count} scores; give one embedding per frame")
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(lengths > 0, lengths, 1), dtype=np.float32)


def _times(path: Path, count: int) -> Seconds:
    times = _array(path, 1).astype(np.float64)
    if len(times) != count or not np.isfinite(times).all() or (np.diff(times) <= 0).any():
        raise ValueError(f"{path} must hold {count} rising times in seconds, one per frame")
    return times


def _shots(path: Path, count: int) -> tuple[Shot, ...]:
    """`[[0, 40], [40, 95], …]`: half-open ranges of frames that tile the pool; `[0, 40, …]`, where shots begin, too."""
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        starts = [one[0] if isinstance(one, list) else one for one in said]
        shots = tuple(Shot(start, end) for start, end in zip(starts, [*starts[1:], count], strict=True))
        ends = [one[1] for one in said if isinstance(one, list)]
    except (OSError, ValueError, TypeError, LookupError) as error:
        raise ValueError(f"{path} holds no shots: {error}; give [[0, 40], [40, 95], …] in frames") from None
    if not starts or starts[0] != 0 or (ends and ends != [shot.end for shot in shots]):
        raise ValueError(f"{path}: the shots must tile frames 0 to {count} without gap or overlap")
    return shots


def sampled(arguments: argparse.Namespace) -> dict[str, Any]:
    """The selection and how it came to be, as JSON. Raises ValueError and RefusedError."""
    bound = bind(locate(arguments.sampler), dict(_parameter(text) for text in arguments.parameter))
    context = context_of(arguments)
    selection: Selection = bound.choose(context)
    return {
        "sampler": bound.sampler.name,
        "contract": bound.sampler.contract,
        "indices": list(selection.indices),
        "ptsSeconds": list(selection.pts_seconds),
        "tiers": list(selection.tiers),
        "diagnostics": dict(selection.diagnostics),
        "poolSize": context.pool_size,
        "budget": context.budget,
        "seed": context.seed,
        "milliseconds": round(context.meter.own_milliseconds, 3),
    }


def _parameter(text: str) -> tuple[str, bool | int | str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"--parameter {text!r} must be NAME=VALUE")
    if value in {"true", "false"}:
        return name, value == "true"
    return name, int(value) if value.lstrip("-").isdecimal() and len(value) < 16 else value


def _arguments(given: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="pitwall sample", description="Choose frames from plain arrays.")
    parser.add_argument("--scores", type=Path, required=True, help="[N] relevance of each frame, .npy")
    parser.add_argument("--sampler", required=True, help="a sampler's name, or module:attribute")
    parser.add_argument("--budget", type=int, required=True, help="frames to choose, K")
    parser.add_argument("--embeddings", type=Path, help="[N, D], .npy; rows are made unit")
    parser.add_argument("--times", type=Path, help="[N] seconds, .npy; default: one frame a second")
    parser.add_argument("--shots", type=Path, help="JSON: [[start, end], …] in frames; default: one shot")
    parser.add_argument("--question", default="", help="the words, for samplers that read them")
    parser.add_argument("--parameter", action="append", default=[], metavar="NAME=VALUE", help="repeatable")
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    chosen = parser.parse_args(given)
    if chosen.budget < 1:
        parser.error(f"--budget {chosen.budget}: give at least 1")
    return chosen


def main(given: list[str] | None = None) -> int:
    """Print the selection; 1 if the sampler failed, 2 with a sentence if the input is wrong."""
    arguments = _arguments(given)
    try:
        print(json.dumps(sampled(arguments)))
    except (ValueError, BadVariantError) as error:
        print(f"pitwall sample: {error}", file=sys.stderr)
        return 2
    except RefusedError as failure:
        print(f"pitwall sample: {failure.message}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

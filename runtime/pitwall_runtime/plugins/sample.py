"""`pitwall sample --scores S.npy --sampler X --budget K`: a selection from plain arrays, as JSON, so that others can
score our samplers with their own features, questions and metrics."""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from pitwall_runtime.errors import BadVariantError, RefusedError, WrongSelectionError
from pitwall_runtime.media import Floats, Selection, Shot
from pitwall_runtime.plugins.aside import kept_aside
from pitwall_runtime.plugins.locate import locate
from pitwall_runtime.plugins.suite.watched import SIGNALS
from pitwall_runtime.samplers.catalogue import bind, written
from pitwall_runtime.samplers.contract import Input, Sampler, SamplerContext, Seconds
from pitwall_runtime.samplers.offline import offline_context

MOST_FRAMES: Final = 2_000_000
"""More than five hundred hours at one frame a second."""


def context_of(arguments: argparse.Namespace) -> SamplerContext:
    """The context of the arrays. Raises ValueError with the file, what is wrong with it and what would be right."""
    scores: Floats = _array(arguments.scores, 1).astype(np.float32)
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


def _array(path: Path, dimensions: int) -> npt.NDArray[Any]:
    try:
        found: npt.NDArray[Any] = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ValueError(f"{path} is no .npy file: {error}") from None
    fault = ""
    if not isinstance(found, np.ndarray):
        fault = "holds several arrays"
    elif found.ndim != dimensions:
        fault = f"has the shape {found.shape}"
    elif found.dtype.kind not in "fiu":
        fault = f"holds {found.dtype}, no integers or floats"
    if fault:
        raise ValueError(f"{path} {fault}; give numbers with {dimensions} dimension{'s' * (dimensions > 1)}")
    return found


def _rows(path: Path, count: int) -> Floats:
    """Embeddings with unit rows; rows of nothing stay so."""
    rows = _array(path, 2).astype(np.float32)
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
    form = "give [[0, 40], [40, 95], …] in frames, or [0, 40, …], where they begin"
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} holds no shots: {error}; {form}") from None
    if not isinstance(said, list) or not said:
        raise ValueError(f"{path} holds no shots but {said!r:.60}; {form}")
    wrong = next((one for one in said if not (_is_frame(one) or _is_range(one))), None)
    if wrong is not None:
        raise ValueError(f"{path}: {wrong!r:.60} is no shot; {form}")
    starts = [one if _is_frame(one) else one[0] for one in said]
    ends = [*starts[1:], count]
    tiles = starts[0] == 0 and all(start < end for start, end in zip(starts, ends, strict=True))
    if not tiles or any(_is_range(one) and one[1] != end for one, end in zip(said, ends, strict=True)):
        raise ValueError(f"{path}: the shots must tile frames 0 to {count} without gap or overlap")
    return tuple(Shot(start, end) for start, end in zip(starts, ends, strict=True))


def _is_frame(one: object) -> bool:
    return isinstance(one, int) and not isinstance(one, bool)


def _is_range(one: object) -> bool:
    return isinstance(one, list) and len(one) == 2 and all(map(_is_frame, one))


def _hints(sampler: Sampler, arguments: argparse.Namespace) -> Iterator[str]:
    """What the sampler looks at and is not given here, so that nobody scores it without knowing."""
    if Input.EMBEDDINGS in sampler.uses and not arguments.embeddings:
        yield f"{sampler.name} compares embeddings; without --embeddings all frames count as alike"
    if Input.MODEL in sampler.uses:
        yield f"{sampler.name} asks a model, and there is none here; it chooses as where a variant has none"
    unseen = sorted(sampler.uses & {*SIGNALS.values()})
    if unseen:
        yield f"{sampler.name} looks at {', '.join(unseen)}, which plain arrays do not have"


def sampled(arguments: argparse.Namespace) -> dict[str, Any]:
    """The selection and how it came to be, as JSON. Raises ValueError and RefusedError."""
    with kept_aside():
        bound = bind(locate(arguments.sampler), dict(_parameter(text) for text in arguments.parameter))
        context = context_of(arguments)
        for hint in _hints(bound.sampler, arguments):
            print(f"pitwall sample: {hint}", file=sys.stderr)
        selection: Selection = bound.choose(context)
    return {
        "sampler": bound.sampler.name,
        "contract": bound.sampler.contract,
        "indices": list(selection.indices),
        "ptsSeconds": list(selection.pts_seconds),
        "tiers": list(selection.tiers),
        "diagnostics": written(bound.sampler.name, selection),
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
    """Print the selection; 1 if the sampler failed, 2 with a sentence if the input or the selection is wrong."""
    arguments = _arguments(given)
    try:
        print(json.dumps(sampled(arguments)))
    except (ValueError, BadVariantError, WrongSelectionError) as error:
        print(f"pitwall sample: {error}", file=sys.stderr)
        return 2
    except RefusedError as failure:
        print(f"pitwall sample: {failure.message}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

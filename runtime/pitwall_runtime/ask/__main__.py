"""`python -m pitwall_runtime.ask VIDEO QUESTION`: answers one question about one video, without any server."""

import argparse
import json
import logging
import os
import sys
import warnings
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pitwall_crds.builtin import DEFAULT_SAMPLER, SAMPLERS
from pitwall_crds.variant import AnswerEngine
from pitwall_runtime.errors import BadQuestionError, MediaMissingError, RefusedError
from pitwall_runtime.media import clock

if TYPE_CHECKING:
    from pitwall_crds.variant import SamplerVariant
    from pitwall_runtime.pipeline.pipeline import Pipeline, Result


def default_cache_dir() -> Path:
    """Where frames and embeddings are kept: $PITWALL_CACHE, else ~/.cache/pitwall."""
    cache = os.environ.get("PITWALL_CACHE")
    return Path(cache) if cache else Path.home() / ".cache" / "pitwall"


def _one_of(names: Iterable[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} or {last}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m pitwall_runtime.ask", description="Ask one question of one video.")
    parser.add_argument("video", help="a video file, or an http(s) address")
    parser.add_argument("question", help='what to look for, e.g. "a butterfly"')
    parser.add_argument("--variant", type=Path, help="a SamplerVariant file; replaces the next four options")
    parser.add_argument("--sampler", default=DEFAULT_SAMPLER, help=f"{_one_of(SAMPLERS)} (default: %(default)s)")
    parser.add_argument("--max-frames", type=int, default=8, help="frames to choose (default: %(default)s)")
    parser.add_argument(
        "--engine", default=AnswerEngine.MOMENTS, help=f"{_one_of(AnswerEngine)} (default: %(default)s)"
    )
    parser.add_argument("--endpoint", default="", help="base URL of an OpenAI-compatible server, for --engine openai")
    parser.add_argument("--sheet", type=Path, help="save a contact sheet of the chosen frames as PNG")
    parser.add_argument("--output", choices=("text", "json"), default="text")
    parser.add_argument("--cache-dir", type=Path, default=default_cache_dir(), help="default: %(default)s")
    return parser.parse_args()


def _variant(arguments: argparse.Namespace) -> "SamplerVariant":
    from pydantic import ValidationError

    from pitwall_crds.variant import SamplerVariant
    from pitwall_runtime.pipeline.variant_file import read_variant

    if arguments.variant:
        return read_variant(arguments.variant)
    answer = {"engine": arguments.engine, "endpointUrl": arguments.endpoint}
    spec = {"sampler": {"name": arguments.sampler}, "maxFrames": arguments.max_frames, "answer": answer}
    try:
        return SamplerVariant.model_validate({"metadata": {"name": "ask"}, "spec": spec})
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(map(str, problem["loc"]))
        raise BadQuestionError(f"{where} = {problem['input']!r}: {problem['msg']}") from None


def _ask(arguments: argparse.Namespace) -> tuple["Pipeline", "Result"]:
    from pitwall_runtime.ingest.resolve import Resolver
    from pitwall_runtime.pipeline.telemetry import RuntimeTelemetry
    from pitwall_runtime.samplers import catalogue
    from pitwall_runtime.serve.schema import check_question

    check_question(arguments.question.strip())
    _check_sheet(arguments.sheet)
    variant = _variant(arguments)
    catalogue.build(variant.spec.sampler)
    resolver = Resolver((), arguments.cache_dir / "downloads")
    remote = arguments.video.startswith(("http://", "https://"))
    video = resolver.resolve(arguments.video) if remote else resolver.local(Path(arguments.video))

    from pitwall_runtime.pipeline.pipeline import Pipeline

    pipeline = Pipeline(variant, arguments.cache_dir, RuntimeTelemetry("ask", "stable"))
    return pipeline, pipeline.answer(video, arguments.question.strip(), "stable")


def _check_sheet(target: Path | None) -> None:
    """A folder that is not there is better known before a minute of work than after."""
    if target and not target.parent.is_dir():
        raise MediaMissingError(f"--sheet {target}: folder {target.parent} does not exist; make it first")


def _tell(result: "Result") -> str:
    frames = " ".join(clock(result.pool.seconds(index)) for index in result.selection.indices)
    told = f"{result.answer.text}\nframes: {frames}"
    if result.pool.damage:
        stretches = ", ".join(f"{clock(one.start_seconds)} to {clock(one.end_seconds)}" for one in result.pool.damage)
        told += f"\ndamaged, could not be decoded or only in part: {stretches}"
    return told


def _data(result: "Result") -> dict[str, Any]:
    return {
        "answer": result.answer.text,
        "moments": [asdict(moment) for moment in result.answer.moments],
        "damage": [asdict(stretch) for stretch in result.pool.damage],
        "frames": [result.pool.seconds(index) for index in result.selection.indices],
        "tokens": result.visual_tokens,
        "cache": "cold" if result.cold else "warm",
        "stages": result.stages,
    }


def _save_sheet(pipeline: "Pipeline", result: "Result", target: Path) -> None:
    from pitwall_runtime.ask.contact_sheet import save_sheet

    jpegs = [pipeline.store.jpeg(result.pool, index) for index in result.selection.indices]
    save_sheet(jpegs, [result.pool.seconds(index) for index in result.selection.indices], target)


def main() -> int:
    """Ask, print, and end: 0 with an answer, 2 with one line that says why not."""
    arguments = _arguments()
    os.environ.setdefault("TQDM_DISABLE", "1")
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    try:
        pipeline, result = _ask(arguments)
        if arguments.sheet:
            _save_sheet(pipeline, result, arguments.sheet)
    except RefusedError as refusal:
        print(f"pitwall ask: {refusal.message}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"pitwall ask: {error.filename or 'file'}: {error.strerror}; check path and permissions", file=sys.stderr)
        return 2
    print(json.dumps(_data(result), indent=2) if arguments.output == "json" else _tell(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())

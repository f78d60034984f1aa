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

from pitwall_crds.host.printable import printable, printable_lines
from pitwall_crds.variant.builtin import DEFAULT_SAMPLER, SAMPLERS
from pitwall_crds.variant.variant import AnswerEngine
from pitwall_runtime.errors import RefusedError
from pitwall_runtime.media import clock
from pitwall_runtime.samplers.catalogue import written

if TYPE_CHECKING:
    from pitwall_runtime.ask.asking import Asked
    from pitwall_runtime.pipeline.asked import Result


def default_cache_dir() -> Path:
    """Where frames and embeddings are kept: $PITWALL_CACHE, else ~/.cache/pitwall."""
    cache = os.environ.get("PITWALL_CACHE")
    return Path(cache) if cache else Path.home() / ".cache" / "pitwall"


def _one_of(names: Iterable[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} or {last}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m pitwall_runtime.ask", description="Ask one question of one video.")
    parser.add_argument("video", help="a video file, or a file:// or http(s):// address")
    parser.add_argument("question", help='what to look for, e.g. "a butterfly"')
    parser.add_argument("--variant", type=Path, help="a SamplerVariant file; its sampler comes before any --sampler")
    parser.add_argument(
        "--sampler", action="append", default=[], metavar="NAME[:PARAMETER=VALUE,…]",
        help=f"{_one_of(SAMPLERS)}, or a plug-in; again to compare (default: {DEFAULT_SAMPLER})",
    )  # fmt: skip
    parser.add_argument(
        "--part", default="", metavar="START,END",
        help="what of the video is asked about, in seconds or as 1:02:03; also as #t=START,END behind an address",
    )  # fmt: skip
    parser.add_argument("--max-frames", type=int, default=8, help="frames to choose (default: %(default)s)")
    parser.add_argument(
        "--engine", default=AnswerEngine.MOMENTS, help=f"{_one_of(AnswerEngine)} (default: %(default)s)"
    )
    parser.add_argument("--endpoint", default="", help="base URL of an OpenAI-compatible server, for --engine openai")
    parser.add_argument(
        "--allow-host", action="append", default=[], metavar="HOST", help="host[:port] allowed although it is private"
    )
    parser.add_argument("--sheet", type=Path, help="save a PNG: scores, shots, and what each sampler chose")
    parser.add_argument("--output", choices=("text", "json"), default="text")
    parser.add_argument("--cache-dir", type=Path, default=default_cache_dir(), help="default: %(default)s")
    return parser.parse_args()


def _told(asked: "Asked") -> str:
    """The answers with the frames that they stand on, and what of the film is damaged."""
    told = []
    for label, result in asked.results.items():
        frames = " ".join(clock(result.pool.seconds(index)) for index in result.selection.indices)
        name = f"{label}: " if len(asked.results) > 1 else ""
        told.append(f"{name}{result.answer.text}\nframes: {frames}")
    if asked.question.pool.damage:
        stretches = (f"{clock(one.start_seconds)} to {clock(one.end_seconds)}" for one in asked.question.pool.damage)
        told.append(f"damaged, could not be decoded or only in part: {', '.join(stretches)}")
    return "\n".join(told)


def _data(label: str, result: "Result") -> dict[str, Any]:
    from pitwall_runtime.serve.schema import DamagedOut, DamageOut

    return {
        "sampler": label,
        "answer": result.answer.text,
        "moments": [asdict(moment) for moment in result.answer.moments],
        "damage": [DamageOut.of(stretch).model_dump() for stretch in result.pool.damage],
        "damaged": DamagedOut.of(result.pool.damage).model_dump(),
        "frames": [result.pool.seconds(index) for index in result.selection.indices],
        "indices": list(result.selection.indices),
        "diagnostics": written(label, result.selection),
        "tokens": result.visual_tokens,
        "cache": "cold" if result.cold else "warm",
        "stages": result.stages,
    }


def _json(asked: "Asked") -> str:
    """One object for one sampler, a list of them for several."""
    data = [_data(label, result) for label, result in asked.results.items()]
    return json.dumps(data[0] if len(data) == 1 else {"samplers": data}, indent=2)


def main() -> int:
    """Ask, print, and end: 0 with an answer, 2 with one line that says why not."""
    arguments = _arguments()
    os.environ.setdefault("TQDM_DISABLE", "1")
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    try:
        from pitwall_runtime.ask.asking import ask, draw

        asked = ask(arguments)
        with asked.question:
            if arguments.sheet:
                draw(asked, arguments.sheet)
        said = _json(asked) if arguments.output == "json" else _told(asked)
    except RefusedError as refusal:
        print(f"pitwall ask: {printable(refusal.message)}", file=sys.stderr)
        return 2
    except OSError as error:
        reason = error.strerror or error
        words = f"{error.filename or 'file'}: {reason}; check path and permissions"
        print(f"pitwall ask: {printable(words)}", file=sys.stderr)
        return 2
    print(printable_lines(said))  # what servers and films say may hold what a terminal would obey
    return 0


if __name__ == "__main__":
    sys.exit(main())

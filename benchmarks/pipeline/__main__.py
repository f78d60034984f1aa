"""`python -m benchmarks.pipeline [--quick]`: how fast films become pools, and what answers cost.

Prints a table and writes benchmarks/results/pipeline.json, or the --output. ffmpeg decodes every picture and throws it
away (`-f null`); a decoder also scales, and hands over one picture a second. Films are fetched by
scripts/fetch_media.py; the others are written by ffmpeg.
"""

import argparse
import datetime as dt
import json
import os
import platform
import resource
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from benchmarks.pipeline import answering, decoding
from benchmarks.pipeline.answering import AnswerPlan, AnswerRow
from benchmarks.pipeline.decoding import DecodeRow
from benchmarks.pipeline.films import films, of_codecs

RESULTS = Path(__file__).parents[1] / "results" / "pipeline.json"
PARTS = ("decoders", "codecs", "answers")


def rows(folder: Path, parts: Sequence[str], plan: AnswerPlan, *, quick: bool) -> Iterator[DecodeRow | AnswerRow]:
    """What was asked for, as it is measured."""
    if "decoders" in parts:
        decoders = ["pyav"] if quick else decoding.usable()
        for film, path in films(folder, 4 if quick else 60):
            yield from decoding.measure(film, path, decoders, 1 if quick else 3)
    if "codecs" in parts:
        for film, path in of_codecs(folder, 1 if quick else 60):
            yield from decoding.measure(film, path, ["pyav"], 1 if quick else 3)
    if "answers" in parts:
        yield from answering.measure(plan, folder)


def told(row: DecodeRow | AnswerRow) -> str:
    """A row for a person."""
    if isinstance(row, AnswerRow):
        return (
            f"{row.measure:48} {row.film_seconds:8.0f} s of film {row.questions:4} questions {row.videos:3} videos"
            f" {row.value:9} {row.unit}  {row.stages}"
        )
    return (
        f"{row.film:36} {row.decoder:16} {row.seconds:7.2f} s {row.cpu_seconds:7.2f} s CPU"
        f" {row.native_frames_per_second:9.1f} frames/s"
        f"  {row.against_ffmpeg:5.2f} of ffmpeg, {row.against_ffmpeg_cpu:5.2f} by CPU"
    )


def write(found: Sequence[DecodeRow | AnswerRow], output: Path) -> None:
    """Rows of films that were not measured now, and of answers if none were, stay as they are."""
    load = round(os.getloadavg()[0], 2)
    where = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
        "load_average": load,
        "peak_memory_of_decoders_mib": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss >> 10,
    }
    fresh = [{"benchmark": "pipeline", **asdict(row), **where} for row in found]
    old = json.loads(output.read_text()) if output.is_file() else []
    again = {row.get("film") for row in fresh}
    kept = [row for row in old if row.get("film") not in again]
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(kept + fresh, indent=1) + "\n")


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="short films, one round, PyAV alone, no model")
    parser.add_argument("--part", choices=PARTS, action="append", help="default: all")
    parser.add_argument("--encoder", help="of the answers; default: conse, with --quick colours, which is no model")
    parser.add_argument("--output", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    if not shutil.which("ffmpeg"):
        print("ffmpeg is not installed: there is nothing to measure against (scripts/servers.sh)", file=sys.stderr)
        return 2
    plan = answering.QUICK if arguments.quick else answering.WHOLE
    plan = replace(plan, encoder=arguments.encoder or plan.encoder)
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for row in rows(Path(folder), arguments.part or PARTS, plan, quick=arguments.quick):
            found.append(row)
            print(told(row), flush=True)
    write(found, arguments.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())

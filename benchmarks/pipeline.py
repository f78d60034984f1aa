"""Measures how fast a film becomes a pool: each decoder beside plain ffmpeg, on the same cores, by turns.

Prints a table and writes benchmarks/results/pipeline.json, or the --output. ffmpeg decodes every picture and throws it
away (`-f null`); a decoder also scales, and hands over one picture a second. Films are fetched by
scripts/fetch_media.py; a third is written by ffmpeg.
"""

import argparse
import datetime as dt
import importlib.util
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pitwall_runtime.decode.catalogue import DECODERS, build
from pitwall_runtime.decode.process import decode
from pitwall_runtime.errors import BadVariantError
from pitwall_runtime.media import PoolSpec

RESULTS = Path(__file__).parent / "results" / "pipeline.json"
ROOT = Path(__file__).parents[1]
PLAIN = "ffmpeg -f null"


@dataclass(frozen=True, slots=True)
class DecodeRow:
    """One decoder on one film, the fastest of the rounds, its process' start included.

    `against_ffmpeg` is its speed in units of ffmpeg's, by the clock and by the CPU time that was used: the latter does
    not depend on what else the machine does.
    """

    film: str
    decoder: str
    native_frames: int
    pool_frames: int
    seconds: float
    cpu_seconds: float
    native_frames_per_second: float
    against_ffmpeg: float
    against_ffmpeg_cpu: float


def films(folder: Path, seconds: int) -> Iterator[tuple[str, Path]]:
    """Big Buck Bunny's beginning as it is, and the same as phones and screen recorders write films."""
    whole = fetched("bbb")
    cut = folder / "h264.mp4"
    ffmpeg("-i", whole, "-t", seconds, "-an", "-c", "copy", cut)
    yield "H.264 1280×720, 24 a second", cut
    many = folder / "b-frames.mp4"
    shape = ("-vf", "scale=640:360,fps=60", "-c:v", "libx264", "-preset", "fast", "-bf", 3, "-g", 250)
    ffmpeg("-i", cut, "-t", seconds / 2, *shape, many)
    yield "H.264 640×360, 60 a second", many
    single = folder / "mjpeg.mov"
    ffmpeg("-i", cut, "-t", seconds / 4, "-c:v", "mjpeg", "-q:v", 4, single)
    yield "Motion JPEG 1280×720, 24 a second", single


def fetched(name: str) -> Path:
    spec = importlib.util.spec_from_file_location("fetch_media", ROOT / "scripts" / "fetch_media.py")
    assert spec
    assert spec.loader
    media = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(media)
    return Path(media.fetch(media.FILMS[name], media.media_dir()))


def ffmpeg(*arguments: object) -> None:
    subprocess.run(["ffmpeg", "-v", "error", "-y", *map(str, arguments)], check=True)  # noqa: S603, S607


def native_frames(film: Path) -> int:
    ask = ("-select_streams", "v:0", "-count_packets", "-show_entries", "stream=nb_read_packets", "-of", "csv=p=0")
    told = subprocess.run(["ffprobe", "-v", "error", *ask, str(film)], capture_output=True, check=True)  # noqa: S603, S607
    return int(told.stdout.split(b",")[0])


def timed(decoder: str, film: Path) -> tuple[float, float, int]:
    """Seconds by the clock and of CPU, and pool frames."""
    frames: list[int] = []
    started, used = time.perf_counter(), _children_cpu()
    if decoder == PLAIN:
        ffmpeg("-i", film, "-map", "0:v:0", "-f", "null", "-")
    else:
        decode(film, PoolSpec(), lambda frame: frames.append(frame.pts), backend=decoder)
    return time.perf_counter() - started, _children_cpu() - used, len(frames)


def _children_cpu() -> float:
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def usable() -> list[str]:
    """The decoders that run here; of the others it says why not."""
    found = []
    for name in DECODERS:
        try:
            build(name)
            found.append(name)
        except BadVariantError as refusal:
            print(refusal.message, file=sys.stderr)
    return found


def measure(film: str, path: Path, decoders: Sequence[str], rounds: int) -> Iterator[DecodeRow]:
    """By turns, so that a busy machine is busy for all."""
    tries: dict[str, list[tuple[float, float, int]]] = {}
    for _ in range(rounds):
        for decoder in (PLAIN, *decoders):
            tries.setdefault(decoder, []).append(timed(decoder, path))
    best = {
        name: (min(one[0] for one in told), min(one[1] for one in told), told[0][2]) for name, told in tries.items()
    }
    count = native_frames(path)
    for decoder, (seconds, cpu, pool) in best.items():
        wall_share, cpu_share = best[PLAIN][0] / seconds, best[PLAIN][1] / cpu
        speeds = (round(count / seconds, 1), round(wall_share, 2), round(cpu_share, 2))
        yield DecodeRow(film, decoder, count, pool, round(seconds, 2), round(cpu, 2), *speeds)


def written(rows: Sequence[DecodeRow], output: Path) -> list[dict[str, Any]]:
    where = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
        "peak_memory_mib": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss >> 10,
    }
    flat = [{"benchmark": "pipeline", **asdict(row), **where} for row in rows]
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(flat, indent=1) + "\n")
    return flat


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="ten seconds of film, one round, PyAV alone")
    parser.add_argument("--output", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    if not shutil.which("ffmpeg"):
        print("ffmpeg is not installed: there is nothing to measure against (scripts/servers.sh)", file=sys.stderr)
        return 2
    rows: list[DecodeRow] = []
    decoders = ["pyav"] if arguments.quick else usable()
    with tempfile.TemporaryDirectory() as folder:
        for film, path in films(Path(folder), 10 if arguments.quick else 60):
            for row in measure(film, path, decoders, 1 if arguments.quick else 3):
                rows.append(row)
                print(
                    f"{row.film:36} {row.decoder:16} {row.seconds:7.2f} s {row.cpu_seconds:7.2f} s CPU"
                    f" {row.native_frames_per_second:9.1f} frames/s"
                    f"  {row.against_ffmpeg:5.2f} of ffmpeg, {row.against_ffmpeg_cpu:5.2f} by CPU"
                )
    written(rows, arguments.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Measures how well each preset finds the cuts of films that were made with known ones.

Prints a table and writes benchmarks/results/shots.json, or the --output. Films are written by ffmpeg from parts of Big
Buck Bunny: hard cuts, dissolves, fades through black, flashes, and slow pans over one picture. A cut counts as found if
a shot begins within one instant of it. Nothing was tuned on these films.
"""

import argparse
import datetime as dt
import json
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.pipeline.films import fetched, ffmpeg

from pitwall_runtime.media import Frame, PoolSpec
from pitwall_runtime.stages.decode.process import decode
from pitwall_runtime.stages.segment.segment import DETECTIONS, Preset, Segmenter

RESULTS = Path(__file__).parent / "results" / "shots.json"
SCENES = (49.0, 81.0, 92.4, 105.0, 130.0, 150.0, 214.8, 244.5, 285.7, 324.7, 382.2, 452.7)
"""Seconds of the film, each the beginning of more than four without a cut."""

SECONDS, PICTURES = 4.0, 24


@dataclass(frozen=True, slots=True)
class ShotRow:
    """One preset on one film at one pool rate."""

    film: str
    frames_per_minute: int
    preset: str
    cuts: int
    found: int
    right: int
    f1: float
    ms_per_frame: float


@dataclass(frozen=True)
class CutFilm:
    """A film with its cuts: where each begins and where the picture after it stands alone, in seconds."""

    name: str
    path: Path
    cuts: Sequence[tuple[float, float]]


def _parts(count: int) -> list[object]:
    inputs: list[object] = []
    for at in SCENES[:count]:
        inputs += ["-ss", at, "-t", SECONDS, "-i", fetched("bbb")]
    return inputs


def _write(folder: Path, name: str, inputs: Sequence[object], graph: str) -> Path:
    path = folder / f"{name}.mp4"
    ffmpeg(*inputs, "-filter_complex", graph, "-map", "[out]", "-c:v", "libx264", "-preset", "veryfast", path)
    return path


_SHAPE = f"scale=640:360,fps={PICTURES},settb=AVTB,setsar=1,format=yuv420p"


def _joined(count: int, each: str = "") -> str:
    shaped = ";".join(f"[{n}:v]{_SHAPE}{each}[v{n}]" for n in range(count))
    return f"{shaped};{''.join(f'[v{n}]' for n in range(count))}concat=n={count}:v=1:a=0[out]"


def _dissolved(count: int, seconds: float) -> str:
    """Each part runs into the next one for so long."""
    graph = [f"[{n}:v]{_SHAPE}[v{n}]" for n in range(count)]
    last = "v0"
    for n in range(1, count):
        offset = n * (SECONDS - seconds)
        graph.append(f"[{last}][v{n}]xfade=transition=fade:duration={seconds}:offset={offset}[x{n}]")
        last = f"x{n}"
    return ";".join(graph).replace(f"[{last}]", "[out]")


def hard(folder: Path, count: int) -> CutFilm:
    """Parts end to end."""
    path = _write(folder, "hard", _parts(count), _joined(count))
    return CutFilm("hard cuts", path, [(n * SECONDS, n * SECONDS) for n in range(1, count)])


def dissolves(folder: Path, count: int) -> CutFilm:
    """Each part runs into the next one for one second."""
    path = _write(folder, "dissolves", _parts(count), _dissolved(count, 1.0))
    return CutFilm("dissolves of 1 s", path, [(3.0 * n, 3.0 * n + 1) for n in range(1, count)])


def fades(folder: Path, count: int) -> CutFilm:
    """Half a second to black, half a second from it."""
    each = f",fade=t=out:st={SECONDS - 0.5}:d=0.5,fade=t=in:st=0:d=0.5"
    path = _write(folder, "fades", _parts(count), _joined(count, each))
    return CutFilm("fades through black", path, [(n * SECONDS - 0.5, n * SECONDS + 0.5) for n in range(1, count)])


def flashes(folder: Path, count: int) -> CutFilm:
    """Hard cuts, and a white flash of two pictures in the middle of each part, which is none."""
    middle = SECONDS / 2
    flash = f",drawbox=color=white:t=fill:enable='between(t,{middle},{middle + 0.08})'"
    path = _write(folder, "flashes", _parts(count), _joined(count, flash))
    return CutFilm("hard cuts, and flashes that are none", path, [(n * SECONDS, n * SECONDS) for n in range(1, count)])


def pans(folder: Path, count: int) -> CutFilm:
    """The camera moves slowly over one picture of each part."""
    still = f",trim=end_frame=1,loop={int(SECONDS * PICTURES) - 1}:1,setpts=N/{PICTURES}/TB"
    pan = f"{still},scale=960:540,crop=640:360:x='min(320,t*80)':y=90"
    path = _write(folder, "pans", _parts(count), _joined(count, pan))
    return CutFilm("slow pans with hard cuts", path, [(n * SECONDS, n * SECONDS) for n in range(1, count)])


FILMS: tuple[Callable[[Path, int], CutFilm], ...] = (hard, dissolves, fades, flashes, pans)


def pool(path: Path, spec: PoolSpec) -> list[Frame]:
    """The film's frames, decoded once for all presets."""
    frames: list[Frame] = []
    decode(path, spec, frames.append)
    return frames


def measure(film: CutFilm, spec: PoolSpec, preset: Preset, frames: Sequence[Frame]) -> ShotRow:
    """How many of the cuts this preset finds."""
    segmenter, started = Segmenter(spec, DETECTIONS[preset]), time.perf_counter()
    for frame in frames:
        segmenter.watch(frame)
    starts = [float(shot.start * spec.interval) for shot in segmenter.shots()[1:]]
    spent = 1000 * (time.perf_counter() - started) / len(frames)
    right = _matched(film.cuts, starts, float(spec.interval))
    f1 = 2 * right / (len(film.cuts) + len(starts)) if starts else 0.0
    counts = (len(film.cuts), len(starts), right)
    return ShotRow(film.name, spec.frames_per_minute, preset, *counts, round(f1, 3), round(spent, 2))


def _matched(cuts: Sequence[tuple[float, float]], starts: Sequence[float], interval: float) -> int:
    """How many cuts have a start of their own. After a cut the first instant that shows it is at most one later."""
    left, right = sorted(starts), 0
    for begin, end in cuts:
        match = next((at for at in left if begin <= at <= end + interval), None)
        if match is not None:
            left.remove(match)
            right += 1
    return right


def rows(folder: Path, *, quick: bool) -> Iterator[ShotRow]:
    """Every film, at one frame a second and at eight."""
    for make in FILMS[:1] if quick else FILMS:
        film = make(folder, 4 if quick else len(SCENES))
        for rate in (60,) if quick else (60, 480):
            spec = PoolSpec(rate, 240)
            frames = pool(film.path, spec)
            for preset in Preset:
                yield measure(film, spec, preset, frames)


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="four parts with hard cuts, one rate")
    parser.add_argument("--output", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    if not shutil.which("ffmpeg"):
        print("ffmpeg is not installed: it writes the films (scripts/servers.sh)", file=sys.stderr)
        return 2
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for row in rows(Path(folder), quick=arguments.quick):
            found.append(row)
            print(
                f"{row.film:38} {row.frames_per_minute:4}/min {row.preset:8} {row.cuts:3} cuts"
                f" {row.found:3} found {row.right:3} right  F1 {row.f1:5.3f} {row.ms_per_frame:6.2f} ms a frame"
            )
    where = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
        "load_average": round(os.getloadavg()[0], 2),
    }
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    content = [{"benchmark": "shots", **asdict(row), **where} for row in found]
    arguments.output.write_text(json.dumps(content, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

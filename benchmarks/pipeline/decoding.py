"""Measures decoders: how fast a film becomes a pool, beside plain ffmpeg on the same cores, by turns."""

import resource
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.pipeline.films import ffmpeg, native_frames

from pitwall_runtime.errors import BadVariantError
from pitwall_runtime.media import PoolSpec
from pitwall_runtime.stages.decode.catalogue import DECODERS, build
from pitwall_runtime.stages.decode.process import decode

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

"""Videos made up for the benchmark: frames, shots, relevance curves and the moments that answer the question.

How a video is made (one frame a second, 64 dimensions; all numbers are in `MadeUpWorld`):
* Scenes have a random direction each. A scene cuts between two or three set-ups (its direction and one of their own);
  a shot shows one of them for a lognormal time, median 4 s. Frames jitter around their shot.
* The question is a random direction. A frame's relevance is its cosine with it and noise: some per frame, some that
  drifts over seconds. So relevance and embeddings belong together, as an encoder's do.
* Evidence is a moment of lognormal length, median 14 s, in which frames lean towards the question: slowly at the edges,
  and by an own strength for each moment, so that one of two is often much weaker than the other.
* Decoys lean as strongly for longer (median 16 s), and are no evidence: what looks like the answer is often not it.
* Layouts: `plain` (anywhere), `decoys` (six more), `gap` (moments at both ends of the video), `burst` (within 90 s).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Interval = tuple[float, float]

LENGTHS_SECONDS: Final = (600, 1800, 5400)
MOMENTS: Final = ("1", "2", "≥ 3")
LAYOUTS: Final = ("plain", "decoys", "gap", "burst")


@dataclass(frozen=True, slots=True)
class MadeUpWorld:
    """The numbers of the made-up world; chosen so that uniform sampling finds about as much as on public benchmarks."""

    dimension: int = 64
    scene_seconds: float = 45.0
    shot_seconds: float = 4.0
    set_up: float = 0.7
    jitter: float = 0.35
    noise: float = 0.04
    drift: float = 0.04
    moment_seconds: float = 14.0
    decoy_seconds: float = 16.0
    least_strength: float = 0.02
    most_strength: float = 0.25
    decoys: int = 2
    more_decoys: int = 6


@dataclass(frozen=True, slots=True)
class AskedVideo:
    """A question on a video of N frames: relevance [N], unit embeddings [N, D], shot edges and evidence in seconds."""

    moments: str
    length_seconds: int
    layout: str
    relevance: Floats
    embeddings: Floats
    shot_edges: npt.NDArray[np.int64]
    evidence: tuple[Interval, ...]


def videos(per_cell: int, seed: int, world: MadeUpWorld | None = None) -> Iterator[AskedVideo]:
    """`per_cell` videos of every number of moments, length and layout; the same seed gives the same ones."""
    for cell, (moments, length, layout) in enumerate(product(MOMENTS, LENGTHS_SECONDS, LAYOUTS)):
        for number in range(per_cell):
            generator = np.random.default_rng([seed, cell, number])
            yield make(generator, moments, length, layout, world or MadeUpWorld())


def make(generator: np.random.Generator, moments: str, length: int, layout: str, world: MadeUpWorld) -> AskedVideo:
    """One video."""
    edges = _shot_edges(generator, length, world)
    rows = _frames(generator, edges, world)
    question = _direction(generator, world.dimension)
    rows -= np.outer(rows @ question, question).astype(np.float32) * 0.8  # most of what is shown is off the topic
    count = {"1": 1, "2": 2}.get(moments) or int(generator.integers(3, 7))
    evidence = _evidence(generator, count, length, layout, world)
    decoys = world.more_decoys if layout == "decoys" else world.decoys
    leaning = np.zeros(length)
    for start, end in evidence:
        leaning = np.maximum(leaning, _bump(generator, start, end, length, world))
    for _ in range(int(generator.poisson(decoys))):
        duration = float(np.clip(generator.lognormal(np.log(world.decoy_seconds), 0.8), 2, 90))
        start = float(generator.uniform(0, length - duration))
        if not any(start < stop and begin < start + duration for begin, stop in evidence):
            leaning = np.maximum(leaning, _bump(generator, start, start + duration, length, world))
    rows += np.outer(leaning * np.linalg.norm(rows, axis=1), question).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    relevance = (rows @ question + _noise(generator, length, world)).astype(np.float32)
    return AskedVideo(moments, length, layout, relevance, rows, edges, tuple(evidence))


def _direction(generator: np.random.Generator, dimension: int) -> npt.NDArray[np.float64]:
    vector = generator.normal(size=dimension)
    return vector / np.linalg.norm(vector)


def _shot_edges(generator: np.random.Generator, length: int, world: MadeUpWorld) -> npt.NDArray[np.int64]:
    lengths = np.maximum(1, generator.lognormal(np.log(world.shot_seconds), 0.8, size=length).astype(np.int64))
    edges = np.concatenate([[0], np.cumsum(lengths)])
    return np.append(edges[edges < length], length)


def _frames(generator: np.random.Generator, edges: npt.NDArray[np.int64], world: MadeUpWorld) -> Floats:
    """Rows [N, D], not yet of unit length."""
    count = len(edges) - 1
    shots = np.empty((count, world.dimension))
    until, set_ups = 0.0, np.empty((0, world.dimension))
    for shot in range(count):
        if edges[shot] >= until:
            until = edges[shot] + generator.exponential(world.scene_seconds) + 5
            scene = _direction(generator, world.dimension)
            own = np.stack([_direction(generator, world.dimension) for _ in range(int(generator.integers(2, 4)))])
            set_ups = scene + world.set_up * own
        shots[shot] = set_ups[generator.integers(len(set_ups))]
    rows = np.repeat(shots, np.diff(edges), axis=0)
    rows += generator.normal(size=rows.shape) * world.jitter / np.sqrt(world.dimension)
    return rows.astype(np.float32)


def _evidence(
    generator: np.random.Generator, count: int, length: int, layout: str, world: MadeUpWorld
) -> list[Interval]:
    """`count` moments that do not overlap, in time order."""
    durations = np.clip(generator.lognormal(np.log(world.moment_seconds), 0.8, size=count), 2, 90)
    starts = _starts(generator, count, length, layout)
    found: list[Interval] = []
    for start, duration in zip(np.sort(starts), durations, strict=True):
        begin = max(float(start), found[-1][1] + 1 if found else 0.0)
        found.append((begin, min(begin + float(duration), float(length))))
    return [(begin, end) for begin, end in found if end - begin >= 1] or [(0.0, 4.0)]


def _starts(generator: np.random.Generator, count: int, length: int, layout: str) -> npt.NDArray[np.float64]:
    if layout == "burst":
        middle = generator.uniform(0, length - 180)
        return middle + generator.uniform(0, 90, size=count)
    if layout == "gap" and count > 1:
        early = generator.uniform(0, 0.2 * length, size=count // 2)
        return np.concatenate([early, generator.uniform(0.8 * length, length - 91, size=count - count // 2)])
    return generator.uniform(0, length - 91, size=count)


def _bump(
    generator: np.random.Generator, start: float, end: float, length: int, world: MadeUpWorld
) -> npt.NDArray[np.float64]:
    """How far each frame leans towards the question: a flat top, edges of a second or two."""
    strength = generator.uniform(world.least_strength, world.most_strength)
    seconds = np.arange(length)
    inside = np.minimum(seconds - start, end - seconds) + 0.5
    return strength * np.clip(inside / 2.0, 0, 1)


def _noise(generator: np.random.Generator, length: int, world: MadeUpWorld) -> npt.NDArray[np.float64]:
    from scipy.signal import lfilter

    drift = lfilter([np.sqrt(1 - 0.9**2)], [1.0, -0.9], generator.normal(size=length))
    noise: npt.NDArray[np.float64] = world.noise * generator.normal(size=length) + world.drift * drift
    return noise

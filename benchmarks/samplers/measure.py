"""Times each sampler on made-up pools: two peaks over noise, shots of a dozen frames, unit embeddings."""

import asyncio
import gc
import inspect
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise, product

import numpy as np
from benchmarks.samplers.official import load

from pitwall_runtime.media import Shot
from pitwall_runtime.samplers.catalogue import BUILT_IN, find
from pitwall_runtime.samplers.contract import Sampler, SamplerContext
from pitwall_runtime.samplers.offline import offline_context

POOLS, BUDGETS, DIMENSIONS = (600, 3600, 36_000), (8, 32, 64), (768, 1152)
SECONDS_A_CELL, MOST_RUNS, LEAST_RUNS = 0.3, 200, 20


@dataclass(frozen=True, slots=True)
class CostRow:
    """One sampler on one pool: time by the clock and on the processor (the same on a machine that is not shared).

    `chosen` counts different frames; `mib` is what it allocates at its peak.
    """

    sampler: str
    n: int
    budget: int
    dimension: int
    p50_ms: float
    p99_ms: float
    cpu_p50_ms: float
    cpu_p99_ms: float
    mib: float
    chosen: int
    runs: int


def rows(*, quick: bool, official: list[str]) -> list[CostRow]:
    """All cells, one after the other."""
    published = load(official)
    found = []
    for n, dimension in product(POOLS[:2] if quick else POOLS, DIMENSIONS[1:] if quick else DIMENSIONS):
        scores, embeddings, shots = pool(n, dimension)
        for budget in BUDGETS[-1:] if quick else BUDGETS:
            context = partial(offline_context, scores, budget, embeddings=embeddings, shots=shots, question="When?")
            calls = {name: _choose(find(name), context) for name in BUILT_IN}
            calls |= {name: partial(choose, scores, budget) for name, choose in published.items()}
            found += [_row(name, n, budget, dimension, call, quick=quick) for name, call in calls.items()]
    return found


def pool(n: int, dimension: int) -> tuple[np.ndarray, np.ndarray, tuple[Shot, ...]]:
    """Scores [N], unit rows [N, D] that drift within a shot, and the shots."""
    generator = np.random.default_rng(n)
    edges = [*range(0, n, 12), n]
    shots = tuple(Shot(start, end) for start, end in pairwise(edges) if end > start)
    rows_ = generator.normal(scale=0.3, size=(n, dimension)).astype(np.float32)
    for shot in shots:
        rows_[shot.start : shot.end] += generator.normal(size=dimension).astype(np.float32)
    rows_ /= np.linalg.norm(rows_, axis=1, keepdims=True)
    scores = generator.normal(0.1, 0.03, n).astype(np.float32)
    for peak in (n // 7, 3 * n // 4):
        scores[peak : peak + 10] += 0.2
    return scores, rows_, shots


def _choose(sampler: Sampler, context: Callable[[], SamplerContext]) -> Callable[[], list[int]]:
    parameters = sampler.parameters() if isinstance(sampler.parameters, type) else dict(sampler.parameters)

    def choose() -> list[int]:
        selection = sampler.select(context(), parameters)
        if inspect.isawaitable(selection):
            selection = asyncio.run(_awaited(selection))
        return list(selection.indices)

    return choose


async def _awaited(selection: object) -> object:
    return await selection  # type: ignore[misc]


def _row(name: str, n: int, budget: int, dimension: int, choose: Callable[[], list[int]], *, quick: bool) -> CostRow:
    chosen = choose()
    tracemalloc.start()
    choose()
    mib = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()
    samples: list[float] = []
    spent: list[float] = []
    until = time.perf_counter() + SECONDS_A_CELL * (0.2 if quick else 1.0)
    gc.disable()
    while len(samples) < LEAST_RUNS or (time.perf_counter() < until and len(samples) < MOST_RUNS):
        began, idle = time.perf_counter(), time.process_time()
        choose()
        spent.append((time.process_time() - idle) * 1000)
        samples.append((time.perf_counter() - began) * 1000)
        if len(samples) >= 5 and time.perf_counter() > until + SECONDS_A_CELL:
            break
    gc.enable()
    figures = [round(float(one), 3) for kind in (samples, spent) for one in np.quantile(kind, [0.5, 0.99])]
    return CostRow(name, n, budget, dimension, *figures, round(mib, 2), len(set(map(int, chosen))), len(samples))

"""Measures every system alike: what a first rollout, a change and the passing of time cost."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from benchmarks.operator_load.bench import Bench
from benchmarks.operator_load.table import OperatorRow


async def steady(bench: Bench, size: int, words: str, seconds: float, *, moving: int = 0) -> None:
    """CPU, memory and calls while nothing but time passes."""
    calls, writes, cpu, began = bench.calls().total(), bench.writes(), bench.cpu_seconds(), time.monotonic()
    await asyncio.sleep(seconds)
    minutes = (time.monotonic() - began) / 60
    spent, wrote = bench.cpu_seconds() - cpu, (bench.writes() - writes).total()
    bench.tell(
        OperatorRow(size, f"CPU, {words}", spent / (minutes * 60), "cores"),
        OperatorRow(size, f"resident memory, {words}", bench.memory_mib(), "MiB"),
        OperatorRow(size, f"API calls, {words}", (bench.calls().total() - calls) / minutes, "/min"),
        OperatorRow(size, f"API writes, {words}", wrote / minutes, "/min"),
    )
    if moving:
        bench.tell(OperatorRow(size, "API writes per moving Rollout", wrote / minutes / moving, "/min", count=moving))


@asynccontextmanager
async def filled(bench: Bench, numbers: Sequence[int], size: int) -> AsyncIterator[None]:
    """What it costs until rollouts that are applied within are Ready."""
    calls, cpu, began = bench.calls().total(), bench.cpu_seconds(), time.monotonic()
    yield
    count = len(numbers)
    bench.tell(
        OperatorRow(size, "applying until all are Ready", time.monotonic() - began, "s", count=count),
        OperatorRow(
            size, "API calls of a first Rollout", (bench.calls().total() - calls) / count, "calls", count=count
        ),
        OperatorRow(size, "CPU of a first Rollout", 1000 * (bench.cpu_seconds() - cpu) / count, "ms", count=count),
    )


@asynccontextmanager
async def moved(bench: Bench, numbers: Sequence[int], size: int) -> AsyncIterator[None]:
    """What it costs until rollouts that are changed within give their candidates a share."""
    calls, cpu, began = bench.calls().total(), bench.cpu_seconds(), time.monotonic()
    yield
    count = len(numbers)
    bench.tell(
        OperatorRow(size, "change → candidates get their share", time.monotonic() - began, "s", count=count),
        OperatorRow(size, "API calls of a change", (bench.calls().total() - calls) / count, "calls", count=count),
        OperatorRow(size, "CPU of a change", 1000 * (bench.cpu_seconds() - cpu) / count, "ms", count=count),
    )

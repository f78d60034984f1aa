"""What the operator costs by the number of Rollouts, most of them at rest, two in a hundred moving.

`python -m benchmarks.operator [--quick] [--sizes N …]` prints a table and writes benchmarks/results/operator.json.
Real: etcd, kube-apiserver, flag service (SQLite), Prometheus (scraping every second), operator. Acted: the pods (a
watcher says that every Deployment is ready) and the questions (counters that grow as gateways' do).
"""

import argparse
import asyncio
import datetime as dt
import json
import math
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import httpx
from benchmarks.operator import objects
from benchmarks.operator.bench import Bench, gather, running

RESULTS: Final = Path(__file__).parents[1] / "results" / "operator.json"
MOVING_SHARE: Final = 0.02
PROBES: Final = 10
WRITES: Final = frozenset({"put", "post", "patch", "delete"})


@dataclass(frozen=True, slots=True)
class Row:
    """One measurement at one size."""

    rollouts: int
    measure: str
    value: float
    unit: str
    p99: float = 0.0
    count: int = 1


async def steady(bench: Bench, size: int, words: str, seconds: float) -> list[Row]:
    """CPU, memory and calls while nothing but time passes."""
    calls, cpu, began = await bench.calls(), bench.cpu_seconds(), time.monotonic()
    await asyncio.sleep(seconds)
    spent, minutes = bench.cpu_seconds() - cpu, (time.monotonic() - began) / 60
    grown = {key: count - calls.get(key, 0.0) for key, count in (await bench.calls()).items()}
    kube = {key: count for key, count in grown.items() if key[1] not in ("flags", "journal", "leases")}
    writes = sum(count for (verb, _), count in kube.items() if verb in WRITES)
    flags = sum(count for (_, resource), count in grown.items() if resource in ("flags", "journal"))
    return [
        Row(size, f"CPU, {words}", spent / (minutes * 60), "cores"),
        Row(size, f"resident memory, {words}", bench.memory_mib(), "MiB"),
        Row(size, f"API calls, {words}", sum(kube.values()) / minutes, "/min"),
        Row(size, f"API writes, {words}", writes / minutes, "/min"),
        Row(size, f"flag-service calls, {words}", flags / minutes, "/min"),
    ]


def spread(size: int, measure: str, samples: Sequence[float], unit: str = "s") -> Row:
    ordered = sorted(samples)
    return Row(
        size, measure, statistics.median(ordered), unit, ordered[math.ceil(0.99 * len(ordered)) - 1], len(ordered)
    )


async def fill(bench: Bench, first: int, size: int) -> list[Row]:
    """Apply rollouts until there are so many, and wait until all are Ready."""
    calls, cpu, began = await bench.calls(), bench.cpu_seconds(), time.monotonic()
    numbers = range(first, size)
    await gather(bench.create(objects.variant(n, objects.stable_of(n), 8)) for n in numbers)
    await gather(bench.create(objects.rollout(n, objects.stable_of(n))) for n in numbers)

    async def ready() -> bool:
        return sum(bool(one.get("status", {}).get("weights")) for one in await bench.rollouts()) >= size

    await bench.until(ready, seconds=60 + size, what="every rollout Ready")
    grown = sum((await bench.calls()).values()) - sum(calls.values())
    return [
        Row(size, "applying until all are Ready", time.monotonic() - began, "s", count=len(numbers)),
        Row(size, "calls of a first Rollout", grown / len(numbers), "calls", count=len(numbers)),
        Row(size, "CPU of a first Rollout", 1000 * (bench.cpu_seconds() - cpu) / len(numbers), "ms"),
    ]


async def first_effects(bench: Bench, size: int) -> Row:
    """From the API server's answer to an applied Rollout until its Deployment exists."""
    samples, numbers = [], range(90_000 + size, 90_000 + size + PROBES)
    for number in numbers:
        await bench.create(objects.variant(number, objects.stable_of(number), 8))
        await bench.create(objects.rollout(number, objects.stable_of(number)))
        applied = time.time()

        async def exists(name: str = objects.stable_of(number)) -> bool:
            return name in bench.readiness.first_seen

        await bench.until(exists, seconds=60, what="a Deployment")
        samples.append(bench.readiness.first_seen[objects.stable_of(number)] - applied)
    for number in numbers:
        where = f"/apis/{objects.API}/namespaces/{objects.namespace_of(number)}"
        await bench.send("DELETE", f"{where}/rollouts/{objects.rollout_of(number)}")
        await bench.send("DELETE", f"{where}/samplervariants/{objects.stable_of(number)}")
    return spread(size, "apply → Deployment exists", samples)


async def move(bench: Bench, numbers: Sequence[int]) -> None:
    """Point rollouts at candidates, and wait until these get their share."""
    await gather(bench.create(objects.variant(n, objects.candidate_of(n), 16)) for n in numbers)
    await gather(bench.point(n, objects.candidate_of(n)) for n in numbers)
    names = {objects.rollout_of(n) for n in numbers}

    async def moving() -> bool:
        found = [one for one in await bench.rollouts() if one["metadata"]["name"] in names]
        return all(one.get("status", {}).get("weight") == "10%" for one in found)

    await bench.until(moving, seconds=120, what="every candidate gets its share")
    bench.questions.moving.update(dict.fromkeys(numbers, time.time()))


async def to_flag(bench: Bench, size: int, numbers: Sequence[int]) -> Row:
    """From the moment at which a counter shows harm until the flag says that nobody gets the variant."""
    bench.questions.harm(numbers)
    harmed = time.time()
    samples: dict[int, float] = {}
    async with httpx.AsyncClient(base_url=bench.flags_url, trust_env=False) as client:

        async def off() -> bool:
            for number in set(numbers) - samples.keys():
                answer = (await client.get(f"/v1/flags/{objects.flag_of(number)}/history?limit=1")).json()
                newest = answer["changes"][0]
                if newest["atMs"] / 1000 > harmed and objects.candidate_of(number) not in json.dumps(newest["after"]):
                    samples[number] = newest["atMs"] / 1000 - harmed
            return len(samples) == len(numbers)

        await bench.until(off, seconds=120, what="harm flagged off")
    return spread(size, "evidence → flag written (scrape 1 s, block 5 s)", list(samples.values()))


async def settle(bench: Bench, numbers: Sequence[int]) -> None:
    """Point moved rollouts at their stable variants again."""
    for number in numbers:
        bench.questions.moving.pop(number, None)
    await gather(bench.point(n, objects.stable_of(n)) for n in numbers)
    names = {objects.rollout_of(n) for n in numbers}

    async def resting() -> bool:
        found = [one for one in await bench.rollouts() if one["metadata"]["name"] in names]
        return all(one["status"].get("stage") == "stable" for one in found)

    await bench.until(resting, seconds=180, what="moved rollouts rest again")


async def measure(sizes: Sequence[int], seconds: float, rows: list[Row]) -> None:
    """Sizes one after the other on the same, growing cluster. Rows are told as they come."""
    with tempfile.TemporaryDirectory(prefix="pitwall-bench-") as name:
        async with running(Path(name)) as bench:
            known = 0
            for size in sizes:
                rows += told(await fill(bench, known, size))
                rows += told([await first_effects(bench, size)])
                await asyncio.sleep(10)  # what was begun ends
                rows += told(await steady(bench, size, "all at rest", seconds))
                numbers = range(known, known + max(1, round(size * MOVING_SHARE)))
                await move(bench, numbers)
                rows += told(await steady(bench, size, f"{len(numbers)} moving", seconds))
                rows += told([await to_flag(bench, size, numbers)])
                await settle(bench, numbers)
                known = size


def told(rows: list[Row]) -> list[Row]:
    for row in rows:
        p99 = f"   p99 {row.p99:.2f}, n={row.count}" if row.p99 else ""
        sys.stdout.write(f"{row.rollouts:6d}  {row.measure:50}{row.value:12.3f} {row.unit:6}{p99}\n")
    sys.stdout.flush()
    return rows


def save(rows: Sequence[Row]) -> None:
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    extra: dict[str, Any] = {"machine": machine, "date": dt.datetime.now(dt.UTC).date().isoformat()}
    extra["load_average"] = round(os.getloadavg()[0], 2)
    found = [{"benchmark": "operator", **asdict(row), **extra} for row in rows]
    RESULTS.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    sys.stdout.write(f"{machine}, load {extra['load_average']}; written to {RESULTS}\n")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.operator", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="20 seconds each, and by default 1 and 100 rollouts")
    parser.add_argument("--sizes", type=int, nargs="+", help="default: 1 100 1000 5000")
    chosen = parser.parse_args()
    rows: list[Row] = []
    sizes, seconds = ([1, 100], 20.0) if chosen.quick else ([1, 100, 1000, 5000], 60.0)
    sizes = sorted(chosen.sizes or sizes)
    try:
        asyncio.run(measure(sizes, seconds, rows))
    finally:
        if rows:
            save(rows)


if __name__ == "__main__":
    main()

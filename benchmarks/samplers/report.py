"""Writes the rows, prints the table at K = 64, and holds the processor's time to what was promised."""

import datetime as dt
import json
import os
import platform
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.samplers.measure import CostRow

PROMISES: tuple[tuple[str, Callable[[CostRow], bool], float], ...] = (
    ("AKS, N 3600, K 64, p50", lambda row: row.sampler == "aks" and row.n == 3600 and row.budget == 64, 0.6),
    ("FOCUS, N 3600, K 64, p50", lambda row: row.sampler == "focus" and row.n == 3600 and row.budget == 64, 8.0),
)
COLUMNS = ("n", "budget", "dimension", "p50_ms", "p99_ms", "cpu_p50_ms", "cpu_p99_ms", "mib", "chosen")
MOST_P99_MS = 15.0
MOST_LONG_MS = 200.0


def write(rows: Sequence[CostRow], output: Path) -> int:
    """0; broken promises are told."""
    load = round(os.getloadavg()[0], 2)
    about = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
        "load_average": load,
        "note": "others ran beside it" if load > 3 else "",
    }
    output.parent.mkdir(parents=True, exist_ok=True)
    content = [{"benchmark": "samplers", **asdict(row), **about} for row in rows]
    lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in content)
    output.write_text(f"[\n{lines}\n]\n")
    sys.stdout.write(f"{'sampler':18}{''.join(f'{column:>11}' for column in COLUMNS)}\n")
    for row in sorted(rows, key=lambda row: (row.sampler, row.dimension, row.n)):
        if row.budget == 64:
            cells = [getattr(row, column) for column in COLUMNS]
            sys.stdout.write(f"{row.sampler:18}{''.join(f'{cell:>11}' for cell in cells)}\n")
    broken = list(_broken(rows))
    for promise in broken:
        sys.stdout.write(f"BROKEN {promise}\n")
    sys.stdout.write(f"{len(rows)} rows, load {load}, written to {output}\n")
    return 0


def _broken(rows: Sequence[CostRow]) -> list[str]:
    ours = [row for row in rows if "official" not in row.sampler]
    found = [
        f"{name}: {row.cpu_p50_ms} ms, promised {limit} ms (D {row.dimension})"
        for name, is_meant, limit in PROMISES
        for row in ours
        if is_meant(row) and row.cpu_p50_ms > limit
    ]
    found += [
        f"{row.sampler}, N 3600, K 64, p99: {row.cpu_p99_ms} ms, promised {MOST_P99_MS} ms (D {row.dimension})"
        for row in ours
        if (row.n, row.budget) == (3600, 64) and row.cpu_p99_ms > MOST_P99_MS
    ]
    return found + [
        f"{row.sampler}, N 36000, K {row.budget}: {row.cpu_p50_ms} ms, promised {MOST_LONG_MS} ms (D {row.dimension})"
        for row in ours
        if row.n == 36_000 and row.cpu_p50_ms > MOST_LONG_MS
    ]

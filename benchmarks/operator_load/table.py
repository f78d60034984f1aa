"""Prints rows of results as they come, and keeps them beside those of other systems and sizes."""

import datetime as dt
import json
import math
import os
import platform
import statistics
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

RESULTS: Final = Path(__file__).parents[1] / "results" / "operator_load.json"


@dataclass(frozen=True, slots=True)
class OperatorRow:
    """One measurement at one size; `load_average` is the machine's when it was taken."""

    rollouts: int
    measure: str
    value: float
    unit: str
    p99: float = 0.0
    count: int = 1
    load_average: float = 0.0


def spread(size: int, measure: str, samples: Sequence[float], unit: str = "s") -> OperatorRow:
    """The median and the 99th percentile."""
    ordered = sorted(samples)
    return OperatorRow(
        size, measure, statistics.median(ordered), unit, ordered[math.ceil(0.99 * len(ordered)) - 1], len(ordered)
    )


def show(row: OperatorRow) -> None:
    p99 = f"   p99 {row.p99:.2f}, n={row.count}" if row.p99 else ""
    sys.stdout.write(f"{row.rollouts:6d}  {row.measure:56}{row.value:12.3f} {row.unit:6}{p99}\n")
    sys.stdout.flush()


def save(system: str, rows: Sequence[OperatorRow], output: Path = RESULTS) -> None:
    """Put the rows into the file, in place of those of the same system, size and measure."""
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    about = {"machine": machine, "date": dt.datetime.now(dt.UTC).date().isoformat()}
    new: list[dict[str, Any]] = [
        {"benchmark": "operator_load", "system": system, **asdict(row), **about} for row in rows
    ]
    replaced = {_name(row) for row in new}
    known = json.loads(output.read_text()) if output.exists() else []
    kept = [row for row in known if _name(row) not in replaced]
    found = sorted([*kept, *new], key=lambda row: (row["system"], row["rollouts"]))
    output.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    sys.stdout.write(f"{machine}; written to {output}\n")


def _name(row: dict[str, Any]) -> tuple[str, int, str]:
    return row["system"], row["rollouts"], row["measure"]

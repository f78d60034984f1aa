"""Cells come in, rows of the table go out: how often a stable's twin is flagged off, and how soon a harmful one is."""

import datetime as dt
import json
import os
import platform
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from zlib import crc32

import numpy as np
from benchmarks.canary_policies.queues import judge
from benchmarks.canary_policies.queues.counts import STEP_SECONDS
from benchmarks.canary_policies.queues.grid import Measured, QueueCell, cells
from benchmarks.canary_policies.queues.labelled import labelled_counts
from benchmarks.canary_policies.queues.simulate import QueueCounts, simulate, stable_history
from scipy.stats import beta

from pitwall_crds.gate import Dependence

FILE = "canary_policies_queues.json"
RUNS, HARMFUL_RUNS, LABEL_RUNS, QUICK_RUNS = 300, 100, 100, 60
"""Three hundred runs without a false alarm exclude 1 %; how soon a harmful candidate is off needs fewer."""
CONFIDENCE = 0.95
MODES = {
    "Block, as long as stable's pods remember": (Dependence.BLOCK, 0),
    "Block, as long as stable's pods remember, at least 30 s": (Dependence.BLOCK, 30),
    "Block of 30 s": (Dependence.BLOCK, None),
    "Block of 5 s": (Dependence.BLOCK, None),
    "Query, blocks of 30 s": (Dependence.QUERY, None),
}
"""(dependence, the least length of blocks that follow the memory, or none)."""
FIXED = {"Block of 30 s": 30, "Block of 5 s": 5, "Query, blocks of 30 s": 30}


def main(*, quick: bool, out: Path, processes: int) -> int:
    """Prints the rows, and writes them."""
    start, rows = time.monotonic(), []
    work = partial(rows_of, runs=QUICK_RUNS if quick else None)
    with ProcessPoolExecutor(processes) as pool:
        for some in pool.map(work, cells(quick=quick)):
            rows += [{**row, **about_machine()} for row in some]
            (out / FILE).write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n")  # a run may be ended early
            sys.stdout.writelines(_line(row) + "\n" for row in some)
            sys.stdout.flush()
    seconds = time.monotonic() - start
    sys.stdout.write(f"{len(rows)} rows in {seconds:.0f} s, written to {out / FILE}\n")
    return 0


def about_machine() -> dict[str, str]:
    """Where and when a row was measured."""
    return {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
    }


def rows_of(cell: QueueCell, runs: int | None) -> list[dict]:
    """All modes on one recording of so many runs, or as many as the cell needs."""
    seed, is_opinion = crc32(cell.scenario.name.encode()), cell.measured in (Measured.THUMBS_DOWN, Measured.FOLLOW_UP)
    runs = runs or (LABEL_RUNS if is_opinion else HARMFUL_RUNS if cell.is_harmful else RUNS)
    if is_opinion:
        counts, memories, step = labelled_counts(cell, runs, seed), [30], STEP_SECONDS
    else:
        history = stable_history(cell.scenario, seed)
        if not np.isfinite(history.edges).all():
            return [{"scenario": cell.scenario.name, "unmeasured": "the p99 lies beyond the last edge"}]
        step, memories = cell.step_seconds, history.memories
        with_stable = not cell.scenario.dedicated
        counts = simulate(cell.scenario, runs, seed, history.edges, with_stable=with_stable, step_seconds=step)
    return list(_modes(cell, counts, memories, step))


def _modes(cell: QueueCell, counts: QueueCounts, memories: list[int], step: float) -> Iterator[dict]:
    runs = counts.control.done.shape[0]
    for mode, (dependence, least) in MODES.items():
        fixed = FIXED.get(mode)
        if cell.measured is not Measured.LATENCY and fixed != 30:
            continue  # what people think, and what fails, is not slow for longer than it is
        if fixed and fixed < step:
            continue
        lengths = np.resize([fixed] if fixed else np.maximum(memories, least), runs)
        yield {**_about(cell), "mode": mode, **_outcome(cell, counts, dependence, lengths, step)}


def _outcome(cell: QueueCell, counts: QueueCounts, dependence: Dependence, lengths: np.ndarray, step: float) -> dict:
    runs = len(lengths)
    off = np.full(runs, judge.NEVER)
    for length in np.unique(lengths):
        which = np.flatnonzero(lengths == length)
        blocks = judge.QueueReading(
            counts.of_runs(which),
            max(1, int(np.ceil(length / step))),
            step,
            shared=not cell.scenario.dedicated,
            warmup_seconds=cell.warmup_seconds,
        )
        off[which] = judge.seconds_until_off(blocks, dependence, cell.measured)
    asked = np.cumsum(counts.candidate.asked, axis=1)
    last = np.clip(np.where(np.isfinite(off), off, 0) / step, 1, asked.shape[1]).astype(int) - 1
    exposed = asked[np.arange(runs), last][np.isfinite(off)]
    hits = int(np.isfinite(off).sum())
    upper = float(beta.ppf(CONFIDENCE, hits + 1, runs - hits)) if hits < runs else 1.0
    return {
        "median_block_seconds": float(np.median(lengths)),
        "runs": runs,
        "off": hits / runs,
        "off_upper": round(upper, 4),
        "seconds_p50": _quantile(off, 0.5),
        "seconds_p90": _quantile(off, 0.9),
        "exposed_p50": float(np.median(exposed)) if hits else None,
        "exposed_p90": float(np.quantile(exposed, 0.9)) if hits else None,
    }


def _quantile(off: np.ndarray, share: float) -> float | None:
    """Over all runs, those without an end too; none if it lies among those."""
    value = np.sort(off)[int(np.ceil(share * len(off))) - 1]
    return float(value) if np.isfinite(value) else None


def _about(cell: QueueCell) -> dict:
    scenario = cell.scenario
    return {
        "scenario": scenario.name,
        "truth": "harmful" if cell.is_harmful else "harmless",
        "measured": str(cell.measured),
        "unit": cell.unit,
        "rps": scenario.rps,
        "weight": scenario.weight,
        "pods": scenario.pods,
        "stable_pods": scenario.stable_pods,
        "control": "dedicated" if scenario.dedicated else "shared",
        "stall_seconds": scenario.stall_seconds,
        "hours": scenario.seconds / 3600,
    }


def _line(row: dict) -> str:
    if "unmeasured" in row:
        return f"{row['scenario']}: {row['unmeasured']}"
    until = "" if row["seconds_p50"] is None else f", {row['seconds_p50']:.0f} s, {row['exposed_p50']:.0f} questions"
    return f"{row['scenario']}; {row['mode']}: off {row['off']:.1%} (at most {row['off_upper']:.1%}){until}"

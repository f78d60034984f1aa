"""Cells come in, rows of the table go out: how often a stable's twin is flagged off, and how soon a harmful one is."""

import datetime as dt
import json
import os
import platform
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from zlib import crc32

import numpy as np
from benchmarks.canary_policies.queues.counting.counts import STEP_SECONDS
from benchmarks.canary_policies.queues.grid import Measured, QueueCell, groups
from benchmarks.canary_policies.queues.judging import judge, passing
from benchmarks.canary_policies.queues.labelled import labelled_counts
from benchmarks.canary_policies.queues.simulate import QueueCounts, simulate, stable_history
from scipy.special import betaincinv

from pitwall_crds.rollout.gate import Dependence

FILE = "canary_policies_queues.json"
RUNS, HARMFUL_RUNS, LABEL_RUNS, QUICK_RUNS = 300, 100, 100, 20
"""Three hundred runs without a false alarm exclude 1 %; how soon a harmful candidate is off needs fewer."""
PROMISED_RUNS = 2000
"""Of the default mode where nothing is wrong: what is promised is shown."""
RUNS_AT_ONCE = 250
"""Bounds the memory."""
CONFIDENCE = 0.95
MODES = {
    "Block, as long as stable's pods remember": (Dependence.BLOCK, 0),
    "Block, as long as stable's pods remember, at least 30 s": (Dependence.BLOCK, 30),
    "Block of 30 s": (Dependence.BLOCK, None),
    "Block of 5 s": (Dependence.BLOCK, None),
    "Query, blocks of 30 s": (Dependence.QUERY, None),
}
"""(dependence, the least length of blocks that follow the memory, or none)."""
DEFAULT = next(iter(MODES))
FIXED_DEFAULT = "Block of 30 s"
"""The same for opinions and errors."""
FIXED = {FIXED_DEFAULT: 30, "Block of 5 s": 5, "Query, blocks of 30 s": 30}


@dataclass(frozen=True, slots=True)
class RowsWanted:
    """Which rows: a small part of the table, or those whose name has these words; of so many runs, or as many as each
    needs."""

    quick: bool = False
    only: str = ""
    runs: int | None = None


def main(wanted: RowsWanted, *, out: Path, processes: int) -> int:
    """Prints the rows, and writes them; of some rows alone, beside the others that are known."""
    start, rows, quick = time.monotonic(), [], wanted.quick
    known = json.loads((out / FILE).read_text()) if wanted.only and (out / FILE).exists() else []
    work = partial(rows_of, runs=wanted.runs or (QUICK_RUNS if quick else None))
    cells = [group for group in groups(quick=quick) if wanted.only in group[0].scenario.name]
    margins = [scenario for scenario in passing.scenarios(quick=quick) if wanted.only in scenario.name]
    with ProcessPoolExecutor(processes) as pool:
        few = passing.QUICK_RUNS
        passes = partial(passing.row_of, runs=few, pilot_runs=few) if quick else passing.row_of
        passed = pool.map(passes, margins)
        for some in chain(pool.map(work, cells), ([row] for row in passed)):
            rows += [{**row, **about_machine()} for row in some]
            made = {row["scenario"] for row in rows}
            kept = [row for row in known if row["scenario"] not in made]
            text = json.dumps(kept + rows, indent=1, ensure_ascii=False)
            (out / FILE).write_text(text + "\n")  # a run may be ended early
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


@dataclass(frozen=True, slots=True)
class ModeRuns:
    """Some runs in one mode: when each was off, how many questions its candidate had been asked then, block lengths."""

    off: np.ndarray
    exposed: np.ndarray
    lengths: np.ndarray

    @classmethod
    def joined(cls, parts: Sequence["ModeRuns"]) -> "ModeRuns":
        """All of them."""
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in cls.__slots__))


def rows_of(group: Sequence[QueueCell], runs: int | None) -> list[dict]:
    """Cells with the same traffic, all modes on the same recordings of so many runs, or as many as each needs."""
    wanted = [_wanted(cell, runs) for cell in group]
    seen: list[dict[str, list[ModeRuns]]] = [{mode: [] for mode in modes} for modes in wanted]
    try:
        for first, recorded, memories, step in _recordings(group, max(max(modes.values()) for modes in wanted)):
            for cell, counts, modes, mine in zip(group, recorded, wanted, seen, strict=True):
                at_once = counts.control.done.shape[0]
                for mode, needed in modes.items():
                    if needed > first and (FIXED.get(mode) or step) >= step:
                        some = counts.of_runs(np.arange(min(at_once, needed - first)))
                        mine[mode].append(_judged(cell, some, mode, np.roll(memories, -first), step))
    except UnmeasuredError as error:
        return [{"scenario": cell.scenario.name, "unmeasured": str(error)} for cell in group]
    return [
        {**_about(cell), "mode": mode, **_outcome(ModeRuns.joined(parts))}
        for cell, modes in zip(group, seen, strict=True)
        for mode, parts in modes.items()
        if parts
    ]


def _wanted(cell: QueueCell, runs: int | None) -> dict[str, int]:
    """Runs by mode. What people think, and what fails, is not slow for longer than it is: one length of blocks."""
    usual = runs or (LABEL_RUNS if cell.is_opinion else HARMFUL_RUNS if cell.is_harmful else RUNS)
    promised = usual if runs or cell.is_harmful else PROMISED_RUNS
    if cell.measured is not Measured.LATENCY:
        return {mode: promised if mode == FIXED_DEFAULT else usual for mode in MODES if FIXED.get(mode) == 30}
    return {mode: promised if mode == DEFAULT else usual for mode in MODES}


class UnmeasuredError(Exception):
    """A cell that no gate could judge."""


def _recordings(group: Sequence[QueueCell], runs: int) -> Iterator[tuple[int, list[QueueCounts], list[int], float]]:
    """(first run, counts of each cell, lengths of blocks, seconds of a step) of so many runs, some at a time.

    Raises UnmeasuredError.
    """
    cell = group[0]
    seed, step, at_once = crc32(cell.scenario.name.encode()), cell.step_seconds, range(0, runs, RUNS_AT_ONCE)
    if cell.is_opinion:
        for first in at_once:
            number = min(RUNS_AT_ONCE, runs - first)
            yield first, labelled_counts(group, number, seed + first), [FIXED[FIXED_DEFAULT]], STEP_SECONDS
        return
    history = stable_history(cell.scenario, seed)
    if not np.isfinite(history.edges).all():
        raise UnmeasuredError("the p99 lies beyond the last edge")
    with_stable = not cell.scenario.dedicated
    for first in at_once:
        stages = [
            simulate(stage, min(RUNS_AT_ONCE, runs - first), seed + first + number, history.edges,
                     with_stable=with_stable, step_seconds=step)
            for number, stage in enumerate(cell.stages)
        ]  # fmt: skip
        yield first, [QueueCounts.one_after_the_other(stages)], history.memories, step


def _judged(cell: QueueCell, counts: QueueCounts, mode: str, memories: Sequence[int], step: float) -> ModeRuns:
    runs, (dependence, least), fixed = counts.control.done.shape[0], MODES[mode], FIXED.get(mode)
    lengths = np.resize([fixed] if fixed else np.maximum(memories, least), runs)
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
    return ModeRuns(off, asked[np.arange(runs), last], lengths)


def _outcome(seen: ModeRuns) -> dict:
    off, runs = seen.off, len(seen.off)
    exposed = seen.exposed[np.isfinite(off)]
    hits = len(exposed)
    upper = float(betaincinv(hits + 1, runs - hits, CONFIDENCE)) if hits < runs else 1.0
    return {
        "median_block_seconds": float(np.median(seen.lengths)),
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
        **({"ramp": list(cell.ramp)} if cell.ramp else {}),
        "pods": scenario.pods,
        "stable_pods": scenario.stable_pods,
        "control": "dedicated" if scenario.dedicated else "shared",
        "stall_seconds": scenario.stall_seconds,
        "hours": scenario.seconds / 3600,
    }


def _line(row: dict) -> str:
    if "unmeasured" in row:
        return f"{row['scenario']}: {row['unmeasured']}"
    if "passed" in row:
        return f"{row['scenario']}, {row['bad_ratio']} times as many slow ones: passed in {row['passed']:.1%}"
    until = "" if row["seconds_p50"] is None else f", {row['seconds_p50']:.0f} s, {row['exposed_p50']:.0f} questions"
    return f"{row['scenario']}; {row['mode']}: off {row['off']:.1%} (at most {row['off_upper']:.1%}){until}"

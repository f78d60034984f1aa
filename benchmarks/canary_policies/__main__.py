"""Runs the comparison: `python -m benchmarks.canary_policies [--quick] [--queues] [--output DIR] [--streams DIR]`."""

import argparse
import datetime as dt
import json
import os
import platform
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from benchmarks.canary_policies import proofs, replay, table
from benchmarks.canary_policies.queues import evaluate
from benchmarks.canary_policies.reporting import report, targets

RESULTS = Path(__file__).parents[1] / "results"
RUNS, QUICK_RUNS, LEAST_RUNS = 2000, 200, 2
QUICK_TRAFFIC = (10, table.USUAL)
PROMISED = {*targets.DIRTY, "p99 × 2", "identical, Prometheus never answers", "identical, Prometheus out 10 min"}
"""Without these scenarios no promise can be checked."""


def main() -> int:
    """Prints the promises, kept and broken."""
    parser = argparse.ArgumentParser(prog="benchmarks.canary_policies", description=__doc__)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_RUNS} runs per cell, less traffic levels")
    parser.add_argument("--least", action="store_true", help=f"{LEAST_RUNS} runs per cell, only what is promised")
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder for JSON, markdown and plots")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--streams", type=Path, help="judge recorded streams (*.jsonl, see replay.py) instead")
    parser.add_argument("--queues", action="store_true", help="traffic with queues, stalls and users instead")
    parser.add_argument(
        "--only", metavar="WORDS", help="with --queues: cells whose name has these words; other rows stay"
    )
    parser.add_argument("--runs", type=int, help="with --queues: so many runs of each cell and mode")
    arguments = parser.parse_args()
    if arguments.streams:
        return _replay(arguments.streams)
    if arguments.queues:
        wanted = evaluate.RowsWanted(arguments.quick, arguments.only or "", arguments.runs)
        return evaluate.main(wanted, out=arguments.output, processes=arguments.processes)
    start = time.monotonic()
    jobs, runs, proof_runs = table.jobs(), RUNS, proofs.RUNS
    if arguments.quick:
        jobs, runs = table.jobs(QUICK_TRAFFIC), QUICK_RUNS
    if arguments.least:
        jobs, runs = [job for job in table.jobs((table.USUAL,)) if job[1].name in PROMISED], LEAST_RUNS
        proof_runs = LEAST_RUNS
    work = partial(table.rows_of, runs=runs)
    with ProcessPoolExecutor(arguments.processes) as pool:
        needs = pool.submit(proofs.proofs, proof_runs)
        rows = [{**row, **_taken()} for rows in pool.map(work, jobs) for row in rows]
        needed = needs.result()
    seconds = time.monotonic() - start
    promises = report.write(rows, needed, arguments.output, seconds)
    for promise in promises:
        sys.stdout.write(f"{'kept  ' if promise['kept'] else 'BROKEN'} {promise['name']}: {promise['measured']}\n")
    sys.stdout.write(f"{len(rows)} rows in {seconds:.0f} s, written to {arguments.output}\n")
    return 0


def _taken() -> dict[str, str]:
    """Where and when a row was made."""
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    return {"machine": machine, "date": dt.datetime.now(dt.UTC).date().isoformat()}


def _replay(folder: Path) -> int:
    paths = sorted(folder.glob("*.jsonl"))
    if not paths:
        sys.stderr.write(f"no *.jsonl in {folder}; see benchmarks/canary_policies/replay.py for the format\n")
        return 2
    for path in paths:
        for timeline in replay.timelines(path):
            sys.stdout.write(json.dumps({"stream": path.name, **timeline}, ensure_ascii=False) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

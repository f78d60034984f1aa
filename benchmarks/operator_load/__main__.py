"""Measures what the operator costs by the number of Rollouts, most of them at rest, two in a hundred moving.

`python -m benchmarks.operator_load [--quick] [--sizes N …]` prints a table and puts its rows into
benchmarks/results/operator_load.json, or the --output.
Real: etcd, kube-apiserver, flag service (SQLite), Prometheus (scraping every second), operator.
Acted: the pods (a watcher says that every Deployment is ready) and the questions (counters that grow as gateways' do).
With --folder the cluster is kept, so that a later call goes on where this one ended.
"""

import argparse
import asyncio
import tempfile
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

from benchmarks.operator_load.argo import ArgoRollouts
from benchmarks.operator_load.bench import running
from benchmarks.operator_load.ours import PROBES, Pitwall
from benchmarks.operator_load.table import RESULTS, save

SYSTEMS = ("argo-rollouts", "pitwall")
MOVING_SHARE = 0.02
QUICK = ([50], 5.0)
WHOLE = ([1, 100, 1000, 5000], 60.0)


async def measure(
    system: Pitwall | ArgoRollouts, folder: Path, sizes: Sequence[int], seconds: float, chosen: argparse.Namespace
) -> None:
    """Sizes one after the other on the same, growing cluster. Rows are told as they come."""
    async with running(system, folder) as bench:
        try:
            known = await system.known(bench)
            for size in sizes:
                await system.settle(bench)
                if size > known:
                    await system.fill(bench, known, size)
                if not chosen.fill_only:
                    await system.measure(bench, size, seconds, max(1, round(size * MOVING_SHARE)))
                known = max(known, size)
        finally:
            save(system.name, bench.rows, chosen.output)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.operator_load", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="5 seconds each, and by default 50 rollouts")
    parser.add_argument("--sizes", type=int, nargs="+", help="default: 1 100 1000 5000")
    parser.add_argument("--seconds", type=float, help="how long to look on at rest, and in motion; default: 60")
    parser.add_argument("--system", choices=SYSTEMS, default="pitwall", help="default: pitwall")
    parser.add_argument("--probes", type=int, default=PROBES, help="rollouts applied one by one; default: %(default)s")
    parser.add_argument("--folder", type=Path, help="keep the cluster here; default: a temporary one")
    parser.add_argument("--fill-only", action="store_true", help="apply the rollouts and end")
    parser.add_argument("--output", type=Path, default=RESULTS, help="file for the rows; default: %(default)s")
    chosen = parser.parse_args()
    sizes, seconds = QUICK if chosen.quick else WHOLE
    folder = chosen.folder and chosen.folder.resolve()
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
    with nullcontext(folder) if folder else tempfile.TemporaryDirectory(prefix="pitwall-bench-") as name:
        system = Pitwall(chosen.probes) if chosen.system == Pitwall.name else ArgoRollouts()
        asyncio.run(measure(system, Path(name), sorted(chosen.sizes or sizes), chosen.seconds or seconds, chosen))


if __name__ == "__main__":
    main()

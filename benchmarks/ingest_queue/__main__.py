"""Measures the ingest queues: jobs a second from put to done, and what a worker that is killed amid them costs.

That is how soon its job is taken again, how many jobs are done twice, and how many are lost.

Prints a table and puts its rows into benchmarks/results/ingest_queue.json, or the --output, in place of those of the
same queue. A queue whose server is not installed is left out, and it is said why. SQS is moto's emulator, not Amazon's.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.ingest_queue.measures import QueueRow, measured
from benchmarks.ingest_queue.queues import NAMES, PLACES, QueueBench
from benchmarks.ingest_queue.servers import ServerMissingError

RESULTS = Path(__file__).parents[1] / "results" / "ingest_queue.json"
QUICK = ("sqlite", "redis")
"""Those whose server starts, and forgets a killed worker, in a second or two."""


EMULATED_JOBS = 1000
"""At most so many of SQS: moto counts all that wait whenever one more is put."""


def rows_of(kind: str, jobs: int, kills: int) -> list[QueueRow]:
    """What one queue does, printed as it comes; none where its server is not installed."""
    try:
        with tempfile.TemporaryDirectory(prefix="pitwall-bench-") as folder, PLACES[kind](Path(folder)) as place:
            rows = measured(QueueBench(kind, place), min(jobs, EMULATED_JOBS) if kind == "sqs" else jobs, kills)
    except ServerMissingError as error:
        print(f"{NAMES[kind]:<14} is not measured: {error}", flush=True)
        return []
    for row in rows:
        print(f"{row.queue:<14} {row.measure:<52} {row.value:>10.2f} {row.unit:<7} of {row.count}", flush=True)
    return rows


def save(rows: Sequence[QueueRow], output: Path) -> None:
    """Put the rows into the file, in place of those of the same queues."""
    known = json.loads(output.read_text()) if output.exists() else []
    kept = [row for row in known if row["queue"] not in {row.queue for row in rows}]
    order = list(NAMES.values())
    found = sorted([*kept, *map(asdict, rows)], key=lambda row: order.index(row["queue"]))
    output.write_text(json.dumps(found, indent=1) + "\n")


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ingest_queue", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer jobs and kills, and by default SQLite and Redis")
    parser.add_argument("--queue", choices=list(NAMES), action="append", help="measure this one; may be repeated")
    parser.add_argument("--output", type=Path, default=RESULTS)
    arguments = parser.parse_args(words)
    jobs, kills = (300, 1) if arguments.quick else (5000, 5)
    kinds = arguments.queue or (QUICK if arguments.quick else NAMES)
    save([row for kind in kinds for row in rows_of(kind, jobs, kills)], arguments.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Measures the ingest queues: jobs a second from put to done, and what a worker that is killed amid them costs.

That is how soon its job is taken again, how many jobs are done twice, and how many are lost.

Prints a table and writes benchmarks/results/ingest_queue.json, or the --output, one flat row per measurement. The queue
of one machine (SQLite) always runs and is the baseline; Redis Streams runs when `redis-server` is on the PATH.
"""

import argparse
import datetime as dt
import json
import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from pitwall_crds.host.sockets import free_port
from pitwall_runtime.ingest.queue.local import LocalQueue
from pitwall_runtime.ingest.queue.port import IngestJob, IngestQueue

RESULTS = Path(__file__).parents[1] / "results" / "ingest_queue.json"
VISIBILITY_SECONDS = 2.0

WORKER = """
import pathlib, sys, time
from pitwall_runtime.ingest.queue.{module} import {kind}
arguments = [pathlib.Path(sys.argv[1])] if "{kind}" == "LocalQueue" else sys.argv[1:]
queue = {kind}(*arguments, visibility_seconds={visibility})
while True:
    taken = queue.take(1)
    if taken:
        print(taken.job.id, flush=True)
        time.sleep({work})
        queue.done(taken)
"""
FOR_EVER, SHORT = 600.0, 0.01
"""Seconds that a job takes: one that is never finished, and one that has just begun when its worker is killed."""


@dataclass(frozen=True, slots=True)
class QueueRow:
    """One measurement of one queue."""

    queue: str
    measure: str
    unit: str
    value: float
    count: int
    machine: str
    date: str


@dataclass(frozen=True, slots=True)
class QueueBench:
    """A queue that can be opened again, here and in another process."""

    name: str
    open: Callable[[], IngestQueue]
    worker: Callable[[float], tuple[str, ...]]
    """From the seconds that a job takes, the code and arguments of a process that works."""


def machine() -> str:
    return f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"


def throughput(bench: QueueBench, count: int) -> list[tuple[str, str, float, int]]:
    """Jobs a second of one process that puts, then of one that takes and finishes."""
    queue = bench.open()
    started = time.perf_counter()
    for number in range(count):
        queue.put(IngestJob(f"vid_{number}", f"https://films.example/{number}.mp4", time.time()))
    put = time.perf_counter() - started
    started = time.perf_counter()
    for _ in range(count):
        delivery = queue.take(5)
        assert delivery is not None
        queue.done(delivery)
    done = time.perf_counter() - started
    queue.close()
    return [("put", "jobs/s", count / put, count), ("take and finish", "jobs/s", count / done, count)]


def recovery(bench: QueueBench, count: int) -> list[tuple[str, str, float, int]]:
    """Seconds from kill -9 of a worker until another one has its job, less the visibility time that passes anyway."""
    waited = []
    for number in range(count):
        queue = bench.open()
        queue.put(IngestJob(f"vid_{number}", "https://films.example/film.mp4", time.time()))
        command = [sys.executable, "-c", *bench.worker(FOR_EVER)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own code
            assert process.stdout is not None
            process.stdout.readline()
            taken = time.perf_counter()
            process.send_signal(signal.SIGKILL)
        while (delivery := queue.take(5)) is None:
            pass
        waited.append(time.perf_counter() - taken - VISIBILITY_SECONDS)
        queue.done(delivery)
        queue.close()
    return [("recovery after kill -9, beyond the visibility time", "s", max(waited), count)]


def repeats(bench: QueueBench, count: int, kills: int) -> list[tuple[str, str, float, int]]:
    """Jobs that are begun more than once, and jobs that are never, where workers are killed amid so many jobs."""
    queue = bench.open()
    for number in range(count):
        queue.put(IngestJob(f"vid_{number}", f"https://films.example/{number}.mp4", time.time()))
    begun: list[str] = []
    for _ in range(kills):
        command = [sys.executable, "-c", *bench.worker(SHORT)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own code
            assert process.stdout is not None
            begun += [process.stdout.readline().strip() for _ in range(count // (2 * kills))]
            process.send_signal(signal.SIGKILL)
            begun += process.stdout.read().split()
    while queue.depth().waiting + queue.depth().taken:
        if delivery := queue.take(1):
            begun.append(delivery.job.id)
            queue.done(delivery)
    queue.close()
    distinct = len(set(begun))
    return [
        (f"begun twice, {kills} workers killed amid them", "jobs", len(begun) - distinct, count),
        (f"lost, {kills} workers killed amid them", "jobs", count - distinct, count),
    ]


def local(folder: Path) -> QueueBench:
    path = folder / "queue.sqlite"

    def worker(work: float) -> tuple[str, ...]:
        code = WORKER.format(module="local", kind="LocalQueue", visibility=VISIBILITY_SECONDS, work=work)
        return code, str(path)

    return QueueBench("SQLite", lambda: LocalQueue(path, VISIBILITY_SECONDS, max_waiting=1_000_000), worker)


def listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def redis(folder: Path) -> Iterator[QueueBench]:
    from pitwall_runtime.ingest.queue.redis_streams import RedisQueue

    port = free_port()
    command = ["redis-server", "--port", str(port), "--dir", str(folder), "--save", "", "--appendonly", "yes"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:  # noqa: S603 - of fixed words
        while not listens(port):
            time.sleep(0.02)
        url = f"redis://127.0.0.1:{port}/0"

        def worker(work: float) -> tuple[str, ...]:
            code = WORKER.format(module="redis_streams", kind="RedisQueue", visibility=VISIBILITY_SECONDS, work=work)
            return code, url, "bench"

        yield QueueBench(
            "Redis Streams",
            lambda: RedisQueue(url, "bench", visibility_seconds=VISIBILITY_SECONDS, max_waiting=1_000_000),
            worker,
        )
        server.terminate()


def measured(bench: QueueBench, jobs: int, kills: int) -> list[QueueRow]:
    """Throughput and recovery of one queue, as rows."""
    today = dt.datetime.now(dt.UTC).date().isoformat()
    found = [*throughput(bench, jobs), *recovery(bench, kills), *repeats(bench, 40 * kills, kills)]
    return [
        QueueRow(bench.name, measure, unit, round(value, 3), count, machine(), today)
        for measure, unit, value, count in found
    ]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ingest_queue", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer jobs and kills")
    parser.add_argument("--output", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    jobs, kills = (300, 1) if arguments.quick else (5000, 5)
    with tempfile.TemporaryDirectory() as folder:
        rows = measured(local(Path(folder)), jobs, kills)
        if shutil.which("redis-server"):
            with redis(Path(folder)) as bench:
                rows += measured(bench, jobs, kills)
    for row in rows:
        print(f"{row.queue:<14} {row.measure:<52} {row.value:>10.2f} {row.unit:<7} of {row.count}")
    arguments.output.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

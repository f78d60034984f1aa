"""Measures one queue: jobs a second, and what workers cost that are killed at their work."""

import datetime as dt
import os
import platform
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Final

from benchmarks.ingest_queue.queues import QueueBench

from pitwall_runtime.ingest.queue.port import Delivery, IngestJob, IngestQueue

FOR_EVER, SHORT = 600.0, 0.01
"""Seconds that a job takes: one that is never finished, and one that has just begun when its worker is killed."""

PATIENCE_SECONDS: Final = 60.0
"""For the next job: a group of Kafka that lost a member may take its session, and some, to go on."""


class JobMissingError(Exception):
    """A job that was put did not come."""


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


def machine() -> str:
    return f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"


def measured(bench: QueueBench, jobs: int, kills: int) -> list[QueueRow]:
    """Throughput and recovery of one queue, as rows."""
    today = dt.datetime.now(dt.UTC).date().isoformat()
    found = [*throughput(bench, jobs), *recovery(bench, kills), *repeats(bench, 40 * kills, kills)]
    return [
        QueueRow(bench.name, measure, unit, round(value, 3), count, machine(), today)
        for measure, unit, value, count in found
    ]


def throughput(bench: QueueBench, count: int) -> list[tuple[str, str, float, int]]:
    """Jobs a second of one process that puts, then of one that takes and finishes. The first job is not counted:
    topics are made with it, and a group of Kafka comes together."""
    queue = bench.open()
    queue.put(job(count))
    queue.done(next_job(queue))
    started = time.perf_counter()
    for number in range(count):
        queue.put(job(number))
    put = time.perf_counter() - started
    started = time.perf_counter()
    for _ in range(count):
        queue.done(next_job(queue))
    done = time.perf_counter() - started
    queue.close()
    return [("put", "jobs/s", count / put, count), ("take and finish", "jobs/s", count / done, count)]


def recovery(bench: QueueBench, count: int) -> list[tuple[str, str, float, int]]:
    """Seconds from kill -9 of a worker until another one has its job, less the visibility time that passes anyway."""
    waited = []
    for number in range(count):
        queue = bench.open()
        queue.put(job(number))
        with working(bench, FOR_EVER) as (worker, said):
            said.readline()
            taken = time.perf_counter()
            worker.send_signal(signal.SIGKILL)
        delivery = next_job(queue)
        waited.append(time.perf_counter() - taken - bench.visibility_seconds)
        queue.done(delivery)
        queue.close()
    return [("recovery after kill -9, beyond the visibility time", "s", max(waited), count)]


def repeats(bench: QueueBench, count: int, kills: int) -> list[tuple[str, str, float, int]]:
    """Jobs that are begun more than once, and jobs that are never, where workers are killed amid so many jobs."""
    queue = bench.open()
    for number in range(count):
        queue.put(job(number))
    begun: list[str] = []
    for _ in range(kills):
        with working(bench, SHORT) as (worker, said):
            begun += [said.readline().strip() for _ in range(count // (2 * kills))]
            worker.send_signal(signal.SIGKILL)
            begun += said.read().split()
    while (depth := queue.depth()).waiting + depth.taken:
        if delivery := queue.take(1):
            begun.append(delivery.job.id)
            queue.done(delivery)
    queue.close()
    distinct = len(set(begun))
    return [
        (f"begun twice, {kills} workers killed amid them", "jobs", len(begun) - distinct, count),
        (f"lost, {kills} workers killed amid them", "jobs", count - distinct, count),
    ]


def job(number: int) -> IngestJob:
    return IngestJob(f"vid_{number}", f"https://films.example/{number}.mp4", time.time())


def next_job(queue: IngestQueue) -> Delivery:
    """The next job, which is there. Raises JobMissingError."""
    latest = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < latest:
        if delivery := queue.take(5):
            return delivery
    raise JobMissingError(f"no job came within {PATIENCE_SECONDS:.0f} s")


@contextmanager
def working(bench: QueueBench, work_seconds: float) -> Iterator[tuple[subprocess.Popen[str], IO[str]]]:
    """A worker in a process of its own, and what it says: a job a line."""
    command = bench.worker(work_seconds)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own code
        assert process.stdout is not None
        try:
            yield process, process.stdout
        finally:
            process.kill()

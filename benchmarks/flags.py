"""Measures what a flag costs: an evaluation in process and over OFREP, a write until gateways see it, 10 000 flags.

Prints a table and writes benchmarks/results/flags.json, or the --output, one flat row per measurement.
flagd's own OFREP is measured in the same run, in turn with ours, when a `flagd` binary is on the PATH.
"""

import argparse
import asyncio
import datetime as dt
import json
import os
import platform
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from openfeature import api
from openfeature.contrib.tools.flagd.core import FlagdCore
from openfeature.evaluation_context import EvaluationContext
from openfeature.provider.no_op_provider import NoOpProvider

from pitwall_crds.host.sockets import free_port
from pitwall_flags.client import FlagClient
from pitwall_flags.flag.document import ArmShare, split_document
from pitwall_flags.flag.flagset import FlagSet
from pitwall_flags.flag.record import Intent
from pitwall_flags.provider.provider import PitwallProvider
from pitwall_flags.storage.store import FlagStore

RESULTS = Path(__file__).parent / "results" / "flags.json"
FLAG = "sampler.variant"
USER = EvaluationContext("user-1")
READY = re.compile(r"flag service ready: http=(\S+) sync=(\S+)")
SHORTHAND = {
    "state": "ENABLED",
    "variants": {"candidate": "aks-v2", "stable": "uniform-v1"},
    "defaultVariant": "stable",
    "targeting": {"fractional": [["candidate", 1000], ["stable", 9000]]},
}


@dataclass(frozen=True, slots=True)
class FlagsRow:
    """One measurement. p50 and p99 are in the unit; `per_second` is 0 where it has no meaning."""

    measure: str
    subject: str
    unit: str
    p50: float
    p99: float
    per_second: float
    count: int


@dataclass(frozen=True, slots=True)
class Size:
    """How much of everything is measured."""

    evaluations: int
    seconds: float
    gateways: int
    writes: int
    flags: int


FULL = Size(evaluations=100_000, seconds=5.0, gateways=50, writes=200, flags=10_000)
QUICK = Size(evaluations=10_000, seconds=1.0, gateways=10, writes=20, flags=1_000)
LEAST = Size(evaluations=200, seconds=0.1, gateways=2, writes=3, flags=20)


def split(weight: int) -> dict[str, Any]:
    """A split with a control as large as the candidate."""
    shares = [
        ("candidate", "aks-v2", weight),
        ("control", "uniform-v1", weight),
        ("stable", "uniform-v1", 10_000 - 2 * weight),
    ]
    return split_document([ArmShare(*share) for share in shares], salt="run-1")


def row(measure: str, subject: str, unit: str, samples: Sequence[float], wall_seconds: float = 0.0) -> FlagsRow:
    """Percentiles (nearest rank) of samples that are already in the unit."""
    ordered, count = sorted(samples), len(samples)
    rate = count / wall_seconds if wall_seconds else 0.0
    return FlagsRow(
        measure,
        subject,
        unit,
        round(ordered[count // 2], 3),
        round(ordered[int(count * 0.99)], 3),
        round(rate, 1),
        count,
    )


@contextmanager
def service(folder: Path, core: int | None = None) -> Iterator[tuple[str, str, subprocess.Popen[str]]]:
    """A running flag service, on one core if asked: URL, sync address, process."""
    command = [sys.executable, "-m", "pitwall_flags.service", "--database", f"sqlite+aiosqlite:///{folder}/flags.db"]
    command += ["--http-port", "0", "--sync-port", "0", "--requests-per-second", "0"]
    process = subprocess.Popen(  # noqa: S603 - our own program
        on_core(command, core), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        assert process.stdout is not None
        found = READY.match(process.stdout.readline())
        if not found:
            raise RuntimeError("the flag service did not start; run it by hand to see why")
        yield f"http://{found[1]}", found[2], process
    finally:
        process.terminate()
        process.wait(20)


def on_core(command: list[str], core: int | None) -> list[str]:
    """The command, pinned where the machine has taskset."""
    return command if core is None or not shutil.which("taskset") else ["taskset", "-c", str(core), *command]


def evaluations(size: Size) -> list[FlagsRow]:
    """One evaluation in process: ours, its parts, and flagd's own Python evaluator."""
    flags = {"flags": {FLAG: split(1000), "shorthand": SHORTHAND}}
    core = FlagdCore()
    core.set_flags(json.dumps(flags))
    flag_set = FlagSet(flags)
    provider = Loaded(flag_set)
    api.set_provider_and_wait(NoOpProvider(), "empty")
    api.set_provider_and_wait(provider, "pitwall")
    empty, client = api.get_client("empty"), api.get_client("pitwall")
    ways: dict[str, Callable[[], object]] = {
        "OpenFeature client, provider that does nothing": lambda: empty.get_string_details(FLAG, "x", USER),
        "Pitwall, OpenFeature client and all": lambda: client.get_string_details(FLAG, "x", USER),
        "Pitwall provider, counted": lambda: provider.resolve_string_details(FLAG, "x", USER),
        "Pitwall flag set alone": lambda: flag_set.evaluate(FLAG, "user-1", {}),
        "flagd-core 2.0, the same document": lambda: core.resolve_string_value(FLAG, "x", USER),
        "flagd-core 2.0, its shorthand": lambda: core.resolve_string_value("shorthand", "x", USER),
    }
    samples: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(20):  # in turn, so that a busy moment of the machine meets all of them
        for name, way in ways.items():
            samples[name] += timed(way, size.evaluations // 20)
    api.shutdown()
    return [row("evaluation in process", name, "µs", samples[name]) for name in ways]


class Loaded(PitwallProvider):
    """A provider that has its flags already and follows nobody."""

    def __init__(self, flag_set: FlagSet) -> None:
        super().__init__("none", state_path=Path("none"))
        self._flags, self._stale = flag_set, False

    def initialize(self, evaluation_context: EvaluationContext) -> None:
        pass


def timed(call: Callable[[], object], count: int) -> list[float]:
    """Microseconds of each call, after a warm-up."""
    for _ in range(min(1000, 10 * count)):
        call()
    samples = []
    for _ in range(count):
        began = time.perf_counter_ns()
        call()
        samples.append((time.perf_counter_ns() - began) / 1000)
    return samples


async def ofrep(size: Size, folder: Path) -> list[FlagsRow]:
    """Single evaluations over OFREP by 16 connections; the server has one core, the load generator the other."""
    with ExitStack() as stack:
        ours, _, _ = stack.enter_context(service(folder, core=0))
        await put(ours, split(1000), None)
        servers = {"Pitwall OFREP": ours.removeprefix("http://")}
        if shutil.which("flagd"):
            servers["flagd OFREP"] = stack.enter_context(flagd(folder))
        with suppress(AttributeError, OSError):
            os.sched_setaffinity(0, {1})
        samples: dict[str, list[float]] = {name: [] for name in servers}
        walls = dict.fromkeys(servers, 0.0)
        for _ in range(3):
            for name, address in servers.items():
                found, wall = await load(address, size.seconds)
                samples[name] += found
                walls[name] += wall
        with suppress(AttributeError, OSError):
            os.sched_setaffinity(0, set(range(os.cpu_count() or 1)))
    return [row("OFREP single evaluation", name, "ms", samples[name], walls[name]) for name in servers]


@contextmanager
def flagd(folder: Path) -> Iterator[str]:
    """flagd with the same flag, on loopback; its OFREP address. It listens on all addresses where it is not told."""
    file = folder / "flagd.json"
    file.write_text(json.dumps({"flags": {FLAG: split(1000)}}))
    ports = [free_port() for _ in range(4)]
    names = ("--port", "--management-port", "--sync-port", "--ofrep-port")
    options = [part for name, port in zip(names, ports, strict=True) for part in (name, str(port))]
    command = ["flagd", "start", "--uri", f"file:{file}", "--log-format", "json", *options]
    environment = {**os.environ, "GOMAXPROCS": "1"}
    process = subprocess.Popen(  # noqa: S603 - flagd, where the PATH has it
        on_core(command, 0), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment
    )
    try:
        deadline = time.monotonic() + 20
        while not answers(ports[3]):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("flagd did not start; run `flagd start` by hand to see why")
            time.sleep(0.05)
        yield f"127.0.0.1:{ports[3]}"
    finally:
        process.terminate()
        process.wait(20)


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


async def load(address: str, seconds: float, connections: int = 16) -> tuple[list[float], float]:
    """Milliseconds of each request of keep-alive connections that ask as soon as they are answered; wall seconds."""
    await asyncio.gather(*(ask_until(address, time.perf_counter() + min(0.3, seconds)) for _ in range(connections)))
    began = time.perf_counter()
    found = await asyncio.gather(*(ask_until(address, began + seconds) for _ in range(connections)))
    return [sample for samples in found for sample in samples], time.perf_counter() - began


async def ask_until(address: str, deadline: float) -> list[float]:
    host, _, port = address.partition(":")
    body = b'{"context":{"targetingKey":"user-1"}}'
    head = f"POST /ofrep/v1/evaluate/flags/{FLAG} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n"
    request = head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body
    reader, writer = await asyncio.open_connection(host, int(port))
    samples = []
    while time.perf_counter() < deadline:
        began = time.perf_counter()
        writer.write(request)
        answer = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", answer, re.IGNORECASE)
        if b" 200 " not in answer[:16] or length is None:
            raise RuntimeError(f"{address} answered {answer[:200]!r}")
        await reader.readexactly(int(length[1]))
        samples.append((time.perf_counter() - began) * 1000)
    writer.close()
    await writer.wait_closed()
    return samples


async def put(url: str, document: dict[str, Any], version: int | None, key: str = FLAG) -> None:
    client = FlagClient(url, timeout_seconds=30)
    await client.put(key, document, expected_version=version, actor="benchmark", reason="measure")
    await client.close()


class WatchedGateway(PitwallProvider):
    """A provider that notes when each version of the flag became visible."""

    def __init__(self, target: str, state_path: Path) -> None:
        super().__init__(target, state_path=state_path, retry_seconds=0.1)
        self.seen: dict[str, float] = {}
        self.arrived = threading.Condition()

    def _observe_lag(self, flags: FlagSet) -> None:
        with self.arrived:
            self.seen[flags.documents[FLAG]["metadata"]["version"]] = time.perf_counter()
            self.arrived.notify_all()

    def wait_for(self, version: str) -> float:
        """When the version, or a later one that overtook it, became visible (perf_counter)."""
        with self.arrived:
            if not self.arrived.wait_for(lambda: version in self.seen, 30):
                raise RuntimeError(f"version {version} did not arrive within 30 s")
            return self.seen[version]


async def propagation(folder: Path, flags: int, gateways: int, writes: int) -> list[FlagsRow]:
    """From the operator's call to the new split being visible in every gateway, all of them in this one process."""
    store = await FlagStore.open(f"sqlite+aiosqlite:///{folder}/flags.db")
    for number in range(flags - 1):
        await store.put(f"flag-{number:05}", split(100), expected_version=None, intent=Intent("benchmark", "load"))
    await store.put(FLAG, split(0), expected_version=None, intent=Intent("benchmark", "load"))
    await store.close()
    began = time.perf_counter()
    with service(folder) as (url, sync, process):
        started = time.perf_counter() - began
        providers = [WatchedGateway(sync, folder / f"gateway-{number}.json") for number in range(gateways)]
        before = memory_mib(os.getpid())
        await asyncio.gather(*(asyncio.to_thread(provider.initialize, EvaluationContext()) for provider in providers))
        mine = memory_mib(os.getpid()) - before
        samples = await lags(providers, url, writes)
        server = memory_mib(process.pid)
        for provider in providers:
            provider.shutdown()
    name = f"{gateways} gateways, {flags} flags"
    rows = [row("write until visible", name, "ms", samples)]
    if flags > 1:
        rows += [
            row("service start", f"{flags} flags", "ms", [started * 1000]),
            row("memory of the service", f"{flags} flags", "MiB", [server]),
            row("memory of a gateway's provider", f"{flags} flags", "MiB", [mine / gateways]),
        ]
    return rows


async def lags(providers: Sequence[WatchedGateway], url: str, writes: int) -> list[float]:
    """Milliseconds from each write's beginning to each provider's seeing it."""
    client, samples = FlagClient(url, timeout_seconds=30), []
    for version in range(1, writes + 1):
        began = time.perf_counter()
        await client.put(FLAG, split(version), expected_version=version, actor="benchmark", reason="measure")
        times = await asyncio.gather(
            *(asyncio.to_thread(provider.wait_for, str(version + 1)) for provider in providers)
        )
        samples += [(seen - began) * 1000 for seen in times]
        await asyncio.sleep(0.02)
    await client.close()
    return samples


def memory_mib(pid: int) -> float:
    """Resident memory (Linux)."""
    text = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", text)
    return int(found[1]) / 1024 if found else 0.0


async def measure(size: Size) -> list[FlagsRow]:
    """Everything, one after the other."""
    rows = evaluations(size)
    with tempfile.TemporaryDirectory() as name:
        folders = [Path(name) / part for part in ("ofrep", "gateways", "many")]
        for folder in folders:
            folder.mkdir()
        rows += await ofrep(size, folders[0])
        rows += await propagation(folders[1], 1, size.gateways, size.writes)
        rows += await propagation(folders[2], size.flags, 1, max(10, size.writes // 10))
    return rows


def report(rows: Sequence[FlagsRow], output: Path) -> None:
    """Print the table and write the results."""
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    date = dt.datetime.now(dt.UTC).date().isoformat()
    note = "" if shutil.which("flagd") else "no flagd on the PATH: its OFREP was not measured"
    load_average = round(os.getloadavg()[0], 2)
    extra = {"machine": machine, "date": date, "load_average": load_average, "note": note}
    found = [{"benchmark": "flags", **asdict(each), **extra} for each in rows]
    output.parent.mkdir(exist_ok=True)
    output.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    for each in rows:
        rate = f"{each.per_second:10.0f}/s" if each.per_second else " " * 12
        sys.stdout.write(f"{each.measure:32}{each.subject:54}{each.p50:12.3f}{each.p99:12.3f} {each.unit:4}{rate}\n")
    sys.stdout.write(f"{'':32}{'':54}{'p50':>12}{'p99':>12}   ({machine}, load {load_average}) {note}\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", dest="size", action="store_const", const=QUICK, default=FULL, help="20 seconds")
    size.add_argument("--least", dest="size", action="store_const", const=LEAST, help="only shows that it runs")
    parser.add_argument("--output", type=Path, default=RESULTS, help="file for the rows; default: %(default)s")
    chosen = parser.parse_args()
    report(asyncio.run(measure(chosen.size)), chosen.output)


if __name__ == "__main__":
    main()

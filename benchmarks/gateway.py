"""Measures what the gateway adds to a question: the same questions directly and through it, in turn.

Prints a table and writes benchmarks/results/gateway.json, or the --output, one flat row per measurement.
"""

import argparse
import asyncio
import contextlib
import datetime as dt
import json
import os
import platform
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from pitwall_crds.host.sockets import free_port, listen

RESULTS = Path(__file__).parent / "results" / "gateway.json"
ROUNDS = 15
BODY = {"model": "pitwall", "messages": [{"role": "user", "content": "When does the rabbit wake up?"}]}
ANSWER = json.dumps(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "pitwall",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "at 12 s"}, "finish_reason": "stop"}],
        "pitwall": {"tokens": 2048, "cache": "warm", "frames": [index / 2 for index in range(64)]},
    }
).encode()


@dataclass(frozen=True, slots=True)
class Sample:
    """Seconds of questions asked one way, and how many were asked at once."""

    way: str
    concurrency: int
    seconds: tuple[float, ...]
    wall_seconds: float
    gateway_cpu_seconds: float


@dataclass(frozen=True, slots=True)
class Urls:
    """Where questions go, by way, and where the gateway shows its metrics."""

    ways: dict[str, str]
    metrics: str


async def runtime(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """The smallest runtime: reads the question, sends a stored answer."""
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": ANSWER})


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--quick", action="store_true", help="a tenth of the questions")
    arguments.add_argument("--output", type=Path, default=RESULTS, help="file for the rows; default: %(default)s")
    arguments.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.serve is not None:
        listener = socket.socket(fileno=given.serve)
        uvicorn.Server(uvicorn.Config(runtime, log_level="warning", lifespan="off")).run([listener])
        return
    with tempfile.TemporaryDirectory() as folder, _servers(Path(folder)) as urls:
        rows = asyncio.run(_measure(urls, 300 if given.quick else 3_000))
    _print(rows)
    given.output.parent.mkdir(exist_ok=True)
    given.output.write_text(json.dumps(rows, indent=1) + "\n")


@contextlib.contextmanager
def _servers(folder: Path) -> Iterator[Urls]:
    """A runtime and a gateway as processes of their own."""
    direct = listen("127.0.0.1", 0)
    url = f"http://127.0.0.1:{direct.getsockname()[1]}"
    (folder / "routes.json").write_text(json.dumps({"variants": {"uniform-v1": {"stable": [url]}}}))
    port, metrics = free_port(), free_port()
    number = direct.fileno()
    files = ["--routes", str(folder / "routes.json"), "--state-dir", str(folder)]
    commands = [
        [sys.executable, __file__, "--serve", str(number)],
        [
            sys.executable,
            "-m",
            "pitwall_gateway",
            "--port",
            str(port),
            "--metrics-port",
            str(metrics),
            "--no-authentication",
            *files,
        ],
    ]
    with contextlib.ExitStack() as stack:
        for command in commands:
            process = stack.enter_context(subprocess.Popen(command, pass_fds=[number], stderr=subprocess.DEVNULL))  # noqa: S603 - our own
            stack.callback(process.terminate)
        yield Urls({"direct": url, "gateway": f"http://127.0.0.1:{port}"}, f"http://127.0.0.1:{metrics}")


async def _measure(urls: Urls, questions: int) -> list[dict[str, Any]]:
    async with _clients(urls.ways) as clients:
        samples = []
        for concurrency in (1, 8):
            for way in clients:
                await _ask(clients[way], concurrency, questions // 10)
            samples += await _in_turn(clients, urls.metrics, concurrency, questions)
    return [_row(sample, baseline) for sample, baseline in zip(samples, _baselines(samples), strict=True)]


async def _in_turn(
    clients: dict[str, httpx.AsyncClient], metrics: str, concurrency: int, questions: int
) -> list[Sample]:
    """Both ways in short rounds by turns, so that a busy machine is busy for both."""
    seconds: dict[str, list[float]] = {way: [] for way in clients}
    walls, cpus = dict.fromkeys(clients, 0.0), dict.fromkeys(clients, 0.0)
    for _ in range(ROUNDS):
        for way, client in clients.items():
            before = await _gateway_cpu(clients["gateway"], metrics)
            some, wall = await _ask(client, concurrency, questions // ROUNDS)
            cpus[way] += await _gateway_cpu(clients["gateway"], metrics) - before
            walls[way] += wall
            seconds[way] += some
    return [Sample(way, concurrency, tuple(seconds[way]), walls[way], cpus[way]) for way in clients]


@contextlib.asynccontextmanager
async def _clients(urls: dict[str, str]) -> AsyncIterator[dict[str, httpx.AsyncClient]]:
    async with contextlib.AsyncExitStack() as stack:
        clients = {}
        for way, url in urls.items():
            clients[way] = await stack.enter_async_context(httpx.AsyncClient(base_url=url, trust_env=False))
            await _until_up(clients[way])
        yield clients


async def _until_up(client: httpx.AsyncClient) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with contextlib.suppress(httpx.HTTPError):
            response = await client.post("/v1/chat/completions", json=BODY)
            if response.status_code == 200:
                return
        await asyncio.sleep(0.1)
    raise TimeoutError(f"{client.base_url} did not answer within 60 s")


async def _gateway_cpu(client: httpx.AsyncClient, metrics: str) -> float:
    """Processor seconds that the gateway has used, by its own metrics."""
    text = (await client.get(metrics + "/metrics")).text
    found = re.search(r"^process_cpu_seconds_total (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else float("nan")


async def _ask(client: httpx.AsyncClient, concurrency: int, questions: int) -> tuple[tuple[float, ...], float]:
    """Seconds of each question, and of all."""
    seconds: list[float] = []
    left = iter(range(questions))

    async def user(name: str) -> None:
        for _ in left:
            started = time.perf_counter()
            response = await client.post("/v1/chat/completions", json={**BODY, "user": name})
            seconds.append(time.perf_counter() - started)
            response.raise_for_status()

    started = time.perf_counter()
    await asyncio.gather(*(user(f"user-{number}") for number in range(concurrency)))
    return tuple(seconds), time.perf_counter() - started


def _baselines(samples: list[Sample]) -> list[Sample]:
    direct = {sample.concurrency: sample for sample in samples if sample.way == "direct"}
    return [direct[sample.concurrency] for sample in samples]


def _row(sample: Sample, direct: Sample) -> dict[str, Any]:
    p50, p99 = _quantiles(sample)
    direct_p50, direct_p99 = _quantiles(direct)
    return {
        "benchmark": "gateway",
        "way": sample.way,
        "concurrency": sample.concurrency,
        "questions": len(sample.seconds),
        "p50_ms": round(p50, 3),
        "p99_ms": round(p99, 3),
        "overhead_p50_ms": round(p50 - direct_p50, 3),
        "overhead_p99_ms": round(p99 - direct_p99, 3),
        "gateway_cpu_ms": round(1_000 * sample.gateway_cpu_seconds / len(sample.seconds), 3),
        "questions_per_second": round(len(sample.seconds) / sample.wall_seconds, 1),
        "load_average_1min": round(os.getloadavg()[0], 1),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
    }


def _quantiles(sample: Sample) -> tuple[float, float]:
    """Milliseconds: median and 99th percentile."""
    cuts = statistics.quantiles(sample.seconds, n=100, method="inclusive")
    return 1_000 * cuts[49], 1_000 * cuts[98]


def _print(rows: list[dict[str, Any]]) -> None:
    shown = [key for key in rows[0] if key not in ("benchmark", "machine", "date")]
    print("  ".join(f"{key:>16}" for key in shown))
    for row in rows:
        print("  ".join(f"{row[key]!s:>16}" for key in shown))


if __name__ == "__main__":
    main()

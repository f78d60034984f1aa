"""A control plane, a flag service, a Prometheus and the operator, all real; and what is done with them."""

import asyncio
import json
import os
import re
import ssl
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp
import httpx
import psutil
from benchmarks.operator import objects
from benchmarks.operator.actors import Questions, Readiness
from benchmarks.operator.objects import Object

sys.path.append(str(Path(__file__).parents[2] / "tests" / "cluster"))
from harness.control_plane import ControlPlane
from harness.processes import Process, free_port

AT_ONCE: Final = 24


@dataclass
class Bench:
    """Everything that runs."""

    folder: Path
    plane: ControlPlane
    session: aiohttp.ClientSession
    questions: Questions
    readiness: Readiness
    flags_url: str
    operator_port: int
    operator: Process
    _limit: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    async def send(self, method: str, path: str, body: Object | None = None, kind: str = "application/json") -> Object:
        """One call as the cluster's administrator; 404 and 409 are answers too."""
        async with self._limit:
            data, headers = json.dumps(body) if body is not None else None, {"Content-Type": kind}
            async with self.session.request(method, f"{self.plane.server}{path}", data=data, headers=headers) as answer:
                text = await answer.text()
                content: Object = json.loads(text) if text.startswith("{") else {"message": text}
                assert answer.status in (200, 201, 404, 409), content
                return content

    async def create(self, found: Object) -> None:
        plural = {"Rollout": "rollouts", "SamplerVariant": "samplervariants"}[found["kind"]]
        await self.send("POST", f"/apis/{objects.API}/namespaces/{found['metadata']['namespace']}/{plural}", found)

    async def point(self, number: int, variant: str) -> None:
        """What `kubectl apply` of an edited variantRef does."""
        where = f"/apis/{objects.API}/namespaces/{objects.namespace_of(number)}/rollouts/{objects.rollout_of(number)}"
        patch = {"spec": {"variantRef": {"name": variant}}}
        await self.send("PATCH", where, patch, "application/merge-patch+json")

    async def rollouts(self) -> list[Object]:
        found: list[Object] = []
        following = ""
        while True:
            page = await self.send("GET", f"/apis/{objects.API}/rollouts?limit=500&continue={following}")
            found += page["items"]
            following = page["metadata"].get("continue", "")
            if not following:
                return found

    async def until(self, claim: Callable[[], Awaitable[bool]], *, seconds: float, what: str) -> float:
        """Seconds until it is so."""
        started = time.monotonic()
        while not await claim():
            assert time.monotonic() - started < seconds, f"{what}: not within {seconds:.0f} s; see {self.folder}"
            await asyncio.sleep(0.25)
        return time.monotonic() - started

    async def calls(self) -> dict[tuple[str, str], float]:
        """The operator's own count of its calls, by verb and resource."""
        async with httpx.AsyncClient(trust_env=False) as client:
            text = (await client.get(f"http://127.0.0.1:{self.operator_port}/metrics", timeout=30)).text
        pattern = r'pitwall_operator_api_calls_total\{resource="(\w+)",verb="(\w+)"\} (\S+)'
        return {(verb, resource): float(count) for resource, verb, count in re.findall(pattern, text)}

    def cpu_seconds(self) -> float:
        times = psutil.Process(self.operator.pid).cpu_times()
        return float(times.user + times.system)

    def memory_mib(self) -> float:
        return float(psutil.Process(self.operator.pid).memory_info().rss) / 2**20


async def gather(work: Iterable[Awaitable[Any]]) -> None:
    await asyncio.gather(*work)


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Bench]:
    """All of it, started and stopped."""
    async with AsyncExitStack() as stack:
        plane = await asyncio.to_thread(ControlPlane, folder)
        for process in (plane.etcd, plane.apiserver):
            process.start()
            stack.callback(process.stop)
        await asyncio.to_thread(plane.await_ready)
        context = ssl.create_default_context(cafile=str(plane.authority))
        session = await stack.enter_async_context(
            aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=context, limit=AT_ONCE * 2),
                headers={"Authorization": "Bearer admin"},
                read_bufsize=2**21,
            )
        )
        questions = Questions()
        await questions.serve()
        stack.push_async_callback(questions.close)
        readiness = Readiness(session, plane.server)
        flags, prometheus = _flags(folder, stack), _prometheus(folder, questions.port, stack)
        port = free_port()
        operator = _operator(folder, plane, flags, prometheus, port)
        bench = Bench(folder, plane, session, questions, readiness, flags, port, operator)
        await _prepare(bench)
        watching = asyncio.create_task(readiness.run())
        stack.callback(watching.cancel)
        operator.start()
        stack.callback(operator.stop)
        try:
            await bench.until(
                lambda: _answers(f"http://127.0.0.1:{port}/readyz"), seconds=90, what="the operator's start"
            )
        except AssertionError:
            sys.stderr.write((folder / "operator.log").read_text())
            raise
        yield bench


def _flags(folder: Path, stack: AsyncExitStack) -> str:
    port = free_port()
    command = [sys.executable, "-m", "pitwall_flags.service", f"--database=sqlite+aiosqlite:///{folder}/flags.db",
               f"--http-port={port}", "--sync-port=0", "--requests-per-second=0"]  # fmt: skip
    stack.callback(Process(command, folder / "flags.log").start().stop)
    return f"http://127.0.0.1:{port}"


def _prometheus(folder: Path, target: int, stack: AsyncExitStack) -> str:
    job = {"job_name": "pitwall", "static_configs": [{"targets": [f"127.0.0.1:{target}"]}]}
    content = {"global": {"scrape_interval": "1s"}, "scrape_configs": [job]}
    (folder / "prometheus.yml").write_text(json.dumps(content))
    port = free_port()
    command = ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/tsdb",
               f"--web.listen-address=127.0.0.1:{port}"]  # fmt: skip
    stack.callback(Process(command, folder / "prometheus.log").start().stop)
    return f"http://127.0.0.1:{port}"


def _operator(folder: Path, plane: ControlPlane, flags: str, prometheus: str, port: int) -> Process:
    command = [sys.executable, "-m", "pitwall_operator.cluster", f"--kubeconfig={plane.kubeconfig}",
               f"--flags-url={flags}", f"--prometheus-url={prometheus}", "--runtime-image=registry.example/runtime:1",
               f"--port={port}"]  # fmt: skip
    return Process(command, folder / "operator.log", {**os.environ})


async def _answers(url: str) -> bool:
    async with httpx.AsyncClient(trust_env=False) as client:
        try:
            return (await client.get(url)).status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False


async def _prepare(bench: Bench) -> None:
    import yaml

    for path in sorted((Path(__file__).parents[2] / "crds").glob("*.yaml")):
        definition = yaml.safe_load(path.read_text())
        await bench.send("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition)

    async def established() -> bool:
        found = await bench.send("GET", f"/apis/{objects.API}")
        return len(found.get("resources", ())) >= 4

    await bench.until(established, seconds=30, what="the resource definitions")
    for number in range(objects.NAMESPACES):
        name = {"metadata": {"name": objects.namespace_of(number)}}
        await bench.send("POST", "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", **name})

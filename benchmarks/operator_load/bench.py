"""Starts a real control plane, a Prometheus and the operator to be measured, and drives them."""

import asyncio
import json
import os
import shutil
import ssl
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Protocol

import aiohttp
import httpx
import psutil
import yaml
from benchmarks.operator_load import objects
from benchmarks.operator_load.actors import WRITES, Audit, Questions, Readiness, Watcher
from benchmarks.operator_load.objects import Object
from benchmarks.operator_load.table import OperatorRow, show

from pitwall_crds.host.sockets import free_port

sys.path.append(str(Path(__file__).parents[2] / "tests" / "cluster"))
from harness.plane.control_plane import AUDIT_POLICY, ControlPlane
from harness.processes import Process

AT_ONCE: Final = 24
USER: Final = "operator"


class System(Protocol):
    """What is measured.

    Attributes:
        name: as rows call it, with its version.
        api: group and version of its Rollout.
        definitions: YAML files with its CustomResourceDefinitions.
        pods: the plural of the objects in apps/v1 that stand for pods, and the query that selects them.
        counts: their fields of status that hold a number of pods.
    """

    name: str
    api: str
    definitions: Sequence[Path]
    pods: tuple[str, str]
    counts: tuple[str, ...]

    def processes(self, folder: Path, kubeconfig: Path, prometheus: str) -> tuple[Sequence[Process], Process, str]:
        """What it needs beside it, itself, and the URL that answers once it is ready."""


@dataclass
class Bench:
    """Everything that runs."""

    folder: Path
    plane: ControlPlane
    session: aiohttp.ClientSession
    prometheus: str
    questions: Questions
    readiness: Readiness
    watcher: Watcher
    audit: Audit
    operator: Process
    actors: list[asyncio.Task[None]] = field(default_factory=list)
    rows: list[OperatorRow] = field(default_factory=list)
    _limit: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    def tell(self, *rows: OperatorRow) -> None:
        """Print rows and keep them, each with the load of the machine now."""
        for row in rows:
            self.rows.append(replace(row, load_average=round(os.getloadavg()[0], 2)))
            show(row)

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
        plural = f"{found['kind'].lower()}s"
        root = "/apis" if "/" in found["apiVersion"] else "/api"
        await self.send(
            "POST", f"{root}/{found['apiVersion']}/namespaces/{found['metadata']['namespace']}/{plural}", found
        )

    async def patch(self, api: str, namespace: str, name: str, spec: Object) -> None:
        """What `kubectl apply` of an edited rollout does."""
        where = f"/apis/{api}/namespaces/{namespace}/rollouts/{name}"
        await self.send("PATCH", where, {"spec": spec}, "application/merge-patch+json")

    async def until(
        self, claim: Callable[[], Awaitable[bool]], *, seconds: float, what: str, every: float = 0.1
    ) -> float:
        """Seconds until it is so."""
        started = time.monotonic()
        while not await claim():
            for actor in self.actors:
                assert not actor.done(), f"an actor ended: {actor}"
            assert time.monotonic() - started < seconds, f"{what}: not within {seconds:.0f} s; see {self.folder}"
            await asyncio.sleep(every)
        return time.monotonic() - started

    async def all_are(
        self, names: Iterable[str], claim: Callable[[Object], bool], *, seconds: float, what: str
    ) -> float:
        """Seconds until it is so of each of these rollouts' statuses."""
        waiting = set(names)

        async def done() -> bool:
            waiting.difference_update([name for name in waiting if claim(self.watcher.statuses.get(name, {}))])
            return not waiting

        return await self.until(done, seconds=seconds, what=what)

    async def rest(self, seconds: float = 5.0) -> None:
        """Wait until the operator has written nothing for so long."""
        seen = [-1]

        async def unchanged() -> bool:
            seen.append(self.writes().total())
            return seen[-1] == seen[-2]

        await self.until(unchanged, seconds=180, what="the operator at rest", every=seconds)

    def calls(self) -> Counter[tuple[str, str]]:
        """The operator's calls to the API server by verb and resource; those for its lease are left out."""
        return Counter({key: count for key, count in self.audit.calls().items() if key[1] != "leases"})

    def writes(self) -> Counter[tuple[str, str]]:
        return Counter({key: count for key, count in self.calls().items() if key[0] in WRITES})

    def cpu_seconds(self) -> float:
        times = psutil.Process(self.operator.pid).cpu_times()
        return float(times.user + times.system)

    def memory_mib(self) -> float:
        return float(psutil.Process(self.operator.pid).memory_info().rss) / 2**20


async def gather(work: Iterable[Awaitable[Any]]) -> None:
    await asyncio.gather(*work)


@asynccontextmanager
async def running(system: System, folder: Path) -> AsyncIterator[Bench]:
    """All of it, started and stopped. What the folder holds of an earlier run is there again."""
    async with AsyncExitStack() as stack:
        plane = await asyncio.to_thread(ControlPlane, folder)
        (folder / "audit.yaml").write_text(yaml.safe_dump({**AUDIT_POLICY, "rules": AUDIT_RULES}))
        for process in (plane.etcd, plane.apiserver):
            stack.callback(process.start().stop)
        await asyncio.to_thread(plane.await_ready)
        session = await stack.enter_async_context(_session(plane))
        questions = Questions()
        await questions.serve()
        stack.push_async_callback(questions.close)
        prometheus = _prometheus(folder, questions.port, stack)
        beside, operator, ready = system.processes(folder, plane.kubeconfig_of(USER), prometheus)
        plural, selector = system.pods
        readiness = Readiness(session, f"{plane.server}/apis/apps/v1/{plural}", selector, system.counts)
        watcher = Watcher(session, f"{plane.server}/apis/{system.api}/rollouts")
        audit = Audit(plane.audit_log, USER)
        bench = Bench(folder, plane, session, prometheus, questions, readiness, watcher, audit, operator)
        await _prepare(bench, system)
        for actor in (readiness.run(), watcher.run()):
            bench.actors.append(asyncio.create_task(actor))
            stack.callback(bench.actors[-1].cancel)
        for process in (*beside, operator):
            stack.callback(process.start().stop)
        await _await(bench, ready)
        yield bench


AUDIT_RULES: Final = [
    {"level": "Metadata", "users": [USER]},
    {"level": "None"},
]


def _session(plane: ControlPlane) -> aiohttp.ClientSession:
    context = ssl.create_default_context(cafile=str(plane.authority))
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=context, limit=AT_ONCE * 2),
        headers={"Authorization": "Bearer admin"},
        read_bufsize=2**21,
    )


async def _await(bench: Bench, url: str) -> None:
    try:
        await bench.until(lambda: _answers(url), seconds=90, what="the operator's start")
    except AssertionError:
        sys.stderr.write(bench.operator.last_words())
        raise


def _prometheus(folder: Path, target: int, stack: AsyncExitStack) -> str:
    shutil.rmtree(folder / "tsdb", ignore_errors=True)
    labels = {"pod": "pitwall-gateway-7d9f8b6c5d-x2x4z"}
    job = {"job_name": "pitwall", "static_configs": [{"targets": [f"127.0.0.1:{target}"], "labels": labels}]}
    content = {"global": {"scrape_interval": "1s"}, "scrape_configs": [job]}
    (folder / "prometheus.yml").write_text(json.dumps(content))
    port = free_port()
    command = ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/tsdb",
               f"--web.listen-address=127.0.0.1:{port}"]  # fmt: skip
    stack.callback(Process(command, folder / "prometheus.log").start().stop)
    return f"http://127.0.0.1:{port}"


async def _answers(url: str) -> bool:
    async with httpx.AsyncClient(trust_env=False) as client:
        try:
            return (await client.get(url)).status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False


async def _prepare(bench: Bench, system: System) -> None:
    """The resource definitions, the namespaces, and every right for the operator."""
    definitions = [yaml.safe_load(path.read_text()) for path in system.definitions]
    wanted = {"rollouts/status", *(definition["spec"]["names"]["plural"] for definition in definitions)}
    for definition in definitions:
        await bench.send("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition)

    async def served() -> bool:
        found = (await bench.send("GET", f"/apis/{system.api}")).get("resources", ())
        return wanted <= {one["name"] for one in found}

    await bench.until(served, seconds=30, what="the resource definitions")
    for number in range(objects.NAMESPACES):
        name = {"metadata": {"name": objects.namespace_of(number)}}
        await bench.send("POST", "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", **name})
    await bench.send("POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", RIGHTS)


RIGHTS: Final[Object] = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRoleBinding",
    "metadata": {"name": "bench"},
    "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
    "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": USER}],
}

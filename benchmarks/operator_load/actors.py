"""Plays the rest of the cluster: makes pods ready, watches, and counts queries, at no cost to the operator."""

import asyncio
import contextlib
import itertools
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp
from aiohttp import web
from benchmarks.operator_load import objects

from pitwall_crds.names import Metric

AT_ONCE: Final = 16
QUESTIONS_PER_SECOND: Final = 5.0
WRITES: Final = frozenset({"create", "update", "patch", "delete"})
Object = dict[str, Any]


async def watched(session: aiohttp.ClientSession, url: str) -> AsyncIterator[tuple[str, Object]]:
    """Every object as it is, and from then on every change, for ever."""
    while True:
        with contextlib.suppress(aiohttp.ClientError, OSError):
            async with session.get(f"{url}watch=1", timeout=aiohttp.ClientTimeout(total=None)) as response:
                response.raise_for_status()
                async for line in response.content:
                    event = json.loads(line)
                    if event["type"] in ("ADDED", "MODIFIED", "DELETED"):
                        yield event["type"], event["object"]
        await asyncio.sleep(0.2)  # a resource that was just defined is not served at once


@dataclass
class Watcher:
    """Knows the status of every rollout."""

    session: aiohttp.ClientSession
    url: str
    statuses: dict[str, Object] = field(default_factory=dict)

    async def run(self) -> None:
        async for kind, found in watched(self.session, f"{self.url}?"):
            name = found["metadata"]["name"]
            if kind == "DELETED":
                self.statuses.pop(name, None)
            else:
                self.statuses[name] = found.get("status") or {}


@dataclass
class Readiness:
    """In place of controllers and kubelets: says of every Deployment or ReplicaSet that its pods are ready, and
    remembers when it first saw it."""

    session: aiohttp.ClientSession
    url: str
    selector: str
    counts: tuple[str, ...]
    first_seen: dict[str, float] = field(default_factory=dict)
    _limit: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    async def run(self) -> None:
        waiting: set[asyncio.Task[None]] = set()
        async for kind, found in watched(self.session, f"{self.url}?{self.selector}&"):
            self.first_seen.setdefault(found["metadata"]["name"], time.time())
            seen = found.get("status", {}).get("observedGeneration")
            if kind != "DELETED" and seen != found["metadata"]["generation"]:
                task = asyncio.create_task(self._make_ready(found))
                waiting.add(task)
                task.add_done_callback(waiting.discard)

    async def _make_ready(self, found: Object) -> None:
        metadata, count = found["metadata"], found["spec"]["replicas"]
        status = {"observedGeneration": metadata["generation"], **dict.fromkeys(self.counts, count)}
        head, _, plural = self.url.rpartition("/")
        url = f"{head}/namespaces/{metadata['namespace']}/{plural}/{metadata['name']}/status"
        async with self._limit:
            for pause in itertools.repeat(0.2):
                if await self._is_taken(url, json.dumps({"status": status})):
                    return
                await asyncio.sleep(pause)

    async def _is_taken(self, url: str, patch: str) -> bool:
        """False where the API server was too busy; an object that is gone is no trouble."""
        headers = {"Content-Type": "application/merge-patch+json"}
        try:
            async with self.session.patch(url, data=patch, headers=headers) as response:
                await response.read()
                return response.status in (200, 404)
        except (aiohttp.ClientError, OSError):
            return False


@dataclass
class Audit:
    """The API server's own account of who asked for what."""

    log: Path
    user: str
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    _read: int = 0

    def calls(self) -> Counter[tuple[str, str]]:
        """The user's calls so far, by verb and resource."""
        with self.log.open("rb") as file:
            file.seek(self._read)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                self._read += len(line)
                self._count(line)
        return Counter(self.counts)

    def _count(self, line: bytes) -> None:
        event = json.loads(line)
        if event["user"]["username"] == self.user:
            self.counts[(event["verb"], event.get("objectRef", {}).get("resource", ""))] += 1


@dataclass
class Questions:
    """In place of gateways: counters of moving rollouts, as text for Prometheus."""

    moving: dict[int, tuple[float, str]] = field(default_factory=dict)
    """By number: since when, and the id of the run."""
    harmed: dict[int, float] = field(default_factory=dict)
    port: int = 0
    _runner: web.AppRunner | None = None
    _started: float = field(default_factory=time.time)

    async def serve(self) -> None:
        application = web.Application()
        application.router.add_get("/metrics", self._metrics)
        self._runner = web.AppRunner(application, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = site._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    def harm(self, numbers: Iterable[int]) -> None:
        """From now on a thousand of the candidate's questions have failed."""
        for number in numbers:
            self.harmed[number] = time.time()

    async def _metrics(self, _: web.Request) -> web.Response:
        lines = [f"process_start_time_seconds {self._started:.3f}"]
        now = time.time()
        for number, (since, run) in self.moving.items():
            asked = QUESTIONS_PER_SECOND * (now - since)
            failed = 1000.0 if number in self.harmed else 0.0
            lines += _counter(objects.stable_of(number), "control", run, asked, asked * 0.01)
            lines += _counter(objects.candidate_of(number), "candidate", run, asked, asked * 0.01 + failed)
        return web.Response(text="\n".join(lines) + "\n", content_type="text/plain")


def _counter(variant: str, arm: str, run: str, good: float, bad: float) -> list[str]:
    name = f'{Metric.EVIDENCE_QUERIES}{{sampler_variant="{variant}",arm="{arm}",run="{run}"'
    return [f'{name},outcome="ok"}} {int(good)}', f'{name},outcome="error"}} {int(bad)}']

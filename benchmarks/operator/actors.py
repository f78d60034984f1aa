"""The rest of the cluster: what makes Deployments ready, and what counts questions. They cost the operator nothing."""

import asyncio
import contextlib
import json
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp
from aiohttp import web
from benchmarks.operator import objects

QUESTIONS_PER_SECOND: Final = 5.0
SELECTOR: Final = "labelSelector=app.kubernetes.io/managed-by%3Dpitwall"


@dataclass
class Readiness:
    """In place of kubelets: says of every Deployment that its pods are ready, and remembers when it first saw it."""

    session: aiohttp.ClientSession
    server: str
    first_seen: dict[str, float] = field(default_factory=dict)

    async def run(self) -> None:
        while True:
            with contextlib.suppress(aiohttp.ClientError, asyncio.TimeoutError):
                await self._watch()

    async def _watch(self) -> None:
        url = f"{self.server}/apis/apps/v1/deployments?watch=1&{SELECTOR}"
        waiting: set[asyncio.Task[None]] = set()
        async with self.session.get(url, timeout=aiohttp.ClientTimeout(total=None)) as response:
            async for line in response.content:
                event = json.loads(line)
                if event["type"] not in ("ADDED", "MODIFIED"):
                    continue
                found = event["object"]
                self.first_seen.setdefault(found["metadata"]["name"], time.time())
                if found.get("status", {}).get("observedGeneration") != found["metadata"]["generation"]:
                    task = asyncio.create_task(self._make_ready(found))
                    waiting.add(task)
                    task.add_done_callback(waiting.discard)

    async def _make_ready(self, found: dict[str, Any]) -> None:
        metadata, count = found["metadata"], found["spec"]["replicas"]
        names = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
        status = {"observedGeneration": metadata["generation"], **dict.fromkeys(names, count)}
        url = f"{self.server}/apis/apps/v1/namespaces/{metadata['namespace']}/deployments/{metadata['name']}/status"
        headers = {"Content-Type": "application/merge-patch+json"}
        async with self.session.patch(url, data=json.dumps({"status": status}), headers=headers) as response:
            await response.read()


@dataclass
class Questions:
    """In place of gateways: counters of moving rollouts, as text for Prometheus."""

    moving: dict[int, float] = field(default_factory=dict)
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
        for number, since in self.moving.items():
            asked = QUESTIONS_PER_SECOND * (now - since)
            failed = 1000.0 if number in self.harmed else 0.0
            lines += _counter(objects.stable_of(number), "control", asked, asked * 0.01)
            lines += _counter(objects.candidate_of(number), "candidate", asked, asked * 0.01 + failed)
        return web.Response(text="\n".join(lines) + "\n", content_type="text/plain")


def _counter(variant: str, arm: str, good: float, bad: float) -> list[str]:
    name = f'pitwall_queries_total{{sampler_variant="{variant}",arm="{arm}"'
    return [f'{name},outcome="ok"}} {int(good)}', f'{name},outcome="error"}} {int(bad)}']

"""A running embedded mode: flag service, gateway, operator and runtimes as processes of a folder of its own."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
from examples.demo.users import DemoExchange, drive
from harness import forked
from prometheus_client.parser import text_string_to_metric_families

from pitwall_crds.host import files
from pitwall_crds.host.sockets import free_port
from pitwall_crds.rollout.rollout import Rollout
from pitwall_crds.variant.variant import SamplerVariant
from pitwall_operator.machine.resources import Resources
from pitwall_operator.machine.state_folder import StateFolder

EXAMPLES = Path(__file__).parents[2] / "examples"
PATIENCE_SECONDS = 240.0
"""How long a test waits for what will come: a machine that has other work is slow, and only a fault never ends."""


def pitwall(
    state: Path, verb: str, *arguments: object, or_says: str | None = None, environment: Mapping[str, str] | None = None
) -> str:
    """What the command prints; a refusal in these words is as good."""
    command = [forked.PITWALL, "pitwall", verb, "--state", state, *arguments]
    done = forked.run(command, env={**os.environ, **(environment or {})}, seconds=180)
    told = done.stdout + done.stderr
    assert done.returncode == 0 or (or_says is not None and or_says in told), told
    return done.stdout


class House:
    """A running embedded mode."""

    def __init__(self, state: Path, film: Path) -> None:
        self.state, self.film = state, film
        self.folder, self.resources = StateFolder(state), Resources(state)

    def rollout(self) -> Rollout:
        return self.resources.rollouts()[0]

    def variant(self, name: str) -> SamplerVariant:
        return next(one for one in self.resources.variants() if one.metadata.name == name)

    def service(self, name: str) -> int:
        return int(files.read_json(self.folder.run / "services.json", {})[name][0])

    def runtimes(self, variant: str) -> list[int]:
        return [process["pid"] for process in self._processes(variant)]

    def said(self, variant: str) -> Any:
        """What one of the variant's pods says of its samplers."""
        (process, *_) = self._processes(variant)
        return httpx.get(f"http://127.0.0.1:{process['port']}/v1/samplers", timeout=60.0, trust_env=False).json()

    def _processes(self, variant: str) -> list[Any]:
        return [one for one in files.read_json(self.folder.run / "processes.json", []) if one["variant"] == variant]

    def counted(self, metric: str, **labels: str) -> float:
        """The sum of the gateway's samples with these labels."""
        url = f"http://127.0.0.1:{self.folder.port('metrics')}/metrics"
        exposition = httpx.get(url, timeout=60.0, trust_env=False).text
        return sum(
            sample.value
            for family in text_string_to_metric_families(exposition)
            for sample in family.samples
            if sample.name == metric and labels.items() <= sample.labels.items()
        )

    def ask(self, question: str = "When do the arrows fly?", **more: str) -> httpx.Response:
        content = [
            {"type": "video_url", "video_url": {"url": self.film.as_uri()}},
            {"type": "text", "text": question},
        ]
        body = {"model": "pitwall", "messages": [{"role": "user", "content": content}], **more}
        url = f"{self.folder.gateway_url()}/v1/chat/completions"
        return httpx.post(url, json=body, timeout=120.0, trust_env=False)

    def trials(self) -> dict[str, int]:
        """How many trials each gate has weighed so far, over all arms and pairs."""
        found = {}
        for gate in self.rollout().status.gates:
            totals = gate.state.get("totals", {"arms": [], "pairs": [0]})
            found[gate.name] = sum(arm[0] for arm in totals["arms"]) + totals["pairs"][0]
        return found

    @asynccontextmanager
    async def users(self, rate: float = 15.0) -> AsyncIterator[list[DemoExchange]]:
        stop, seen = asyncio.Event(), list[DemoExchange]()
        driving = asyncio.create_task(
            drive(
                self.folder.gateway_url(),
                self.film.as_uri(),
                rate_per_second=rate,
                stop=stop,
                seed=3,
                on_answer=seen.append,
            )
        )
        try:
            yield seen
        finally:
            stop.set()
            await driving


def until(claim: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not claim():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.1)


async def eventually(claim: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not claim():
        assert time.monotonic() < deadline, "did not happen in time"
        await asyncio.sleep(0.1)


@contextmanager
def running(state: Path, film: Path, *manifests: Path, environment: Mapping[str, str] | None = None) -> Iterator[House]:
    """A house with these files applied, whose first question was answered; at the end nothing of it is left."""
    named = [part for manifest in manifests for part in ("-f", manifest)]
    where = ("--port", free_port(), "--media-root", film.parent, "--follow-up-seconds", 2)
    try:
        pitwall(state, "up", *named, *where, environment=environment)
        house = House(state, film)
        until(lambda: house.ask().status_code == httpx.codes.OK, 240.0)
        yield house
    finally:
        pitwall(state, "down")
    left = [p.pid for p in psutil.process_iter(["cmdline"]) if str(state) in " ".join(p.info["cmdline"] or [])]
    assert left == []

"""Runs Pitwall on the bench: its processes, its rollouts, and what is measured of them."""

import asyncio
import json
import re
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import httpx
from benchmarks.operator_load import objects
from benchmarks.operator_load.bench import Bench, Process, gather
from benchmarks.operator_load.measures import filled, moved, steady
from benchmarks.operator_load.objects import Object
from benchmarks.operator_load.table import OperatorRow, spread

from pitwall_crds.host.sockets import free_port

PROBES: Final = 20


class Pitwall:
    """Our operator and its flag service (SQLite)."""

    name = "pitwall"
    api = objects.API
    definitions = tuple(sorted((Path(__file__).parents[2] / "crds").glob("*.yaml")))
    pods = ("deployments", "labelSelector=app.kubernetes.io/managed-by%3Dpitwall")
    counts = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")

    def __init__(self, probes: int = PROBES) -> None:
        """`probes`: how many rollouts are applied one by one, to see how soon each has its first effect."""
        self._moved: Sequence[int] = ()
        self._probes = probes
        self.flags_url = f"http://127.0.0.1:{free_port()}"
        self.url = f"http://127.0.0.1:{free_port()}"

    def processes(self, folder: Path, kubeconfig: Path, prometheus: str) -> tuple[Sequence[Process], Process, str]:
        flags = [sys.executable, "-m", "pitwall_flags.service", f"--database=sqlite+aiosqlite:///{folder}/flags.db",
                 f"--http-port={self.flags_url.rpartition(':')[2]}", "--sync-port=0",
                 "--requests-per-second=0"]  # fmt: skip
        operator = [sys.executable, "-m", "pitwall_operator.cluster", f"--kubeconfig={kubeconfig}",
                    f"--flags-url={self.flags_url}", f"--prometheus-url={prometheus}",
                    "--runtime-image=registry.example/runtime:1", f"--port={self.url.rpartition(':')[2]}"]  # fmt: skip
        beside = [Process(flags, folder / "flags.log")]
        return beside, Process(operator, folder / "operator.log"), f"{self.url}/readyz"

    async def known(self, bench: Bench) -> int:
        """How many rollouts an earlier run left, all of which had their first turn since the operator was started."""
        await asyncio.sleep(1)
        count = len(bench.watcher.statuses)
        if not count:
            return 0

        async def taken() -> bool:
            return await self.counter("pitwall_operator_turn_seconds_count") >= count

        await bench.until(taken, seconds=60 + count / 20, what="a turn of every rollout")
        await bench.rest()
        return count

    async def counter(self, name: str, labels: str = "") -> float:
        """One of the operator's own counters, summed over what its labels may be."""
        async with httpx.AsyncClient(trust_env=False) as client:
            text = (await client.get(f"{self.url}/metrics", timeout=30)).text
        found = re.findall(rf"^{name}(?:{{[^}}]*{labels}[^}}]*}})? (\S+)$", text, re.MULTILINE)
        return sum(map(float, found))

    async def fill(self, bench: Bench, first: int, size: int) -> None:
        """Apply rollouts until there are so many, and wait until all are Ready."""
        numbers = range(first, size)
        async with filled(bench, numbers, size):
            await gather(bench.create(objects.variant(n, objects.stable_of(n), 8)) for n in numbers)
            await gather(bench.create(objects.rollout(n, objects.stable_of(n))) for n in numbers)
            await bench.all_are(map(objects.rollout_of, numbers), _is_ready, seconds=60 + size, what="all Ready")

    async def measure(self, bench: Bench, size: int, seconds: float, count: int) -> None:
        """Everything at this size; so many rollouts move."""
        bench.tell(await self._first_effects(bench, size))
        await bench.rest(min(5.0, seconds / 2))
        await steady(bench, size, "all at rest", seconds)
        numbers = [
            n for n in reversed(range(size)) if not bench.watcher.statuses[objects.rollout_of(n)].get("flaggedOff")
        ]
        numbers = numbers[:count]
        async with moved(bench, numbers, size):
            await self._move(bench, numbers)
        flags = await self._flag_calls()
        await steady(bench, size, "2 % moving", seconds, moving=len(numbers))
        calls = (await self._flag_calls() - flags) / seconds * 60
        bench.tell(OperatorRow(size, "flag-service calls, 2 % moving", calls, "/min"))
        bench.tell(await self._to_flag(bench, size, numbers))
        self._moved = numbers

    async def _flag_calls(self) -> float:
        return await self.counter("pitwall_operator_api_calls_total", 'resource="(?:flags|journal)"')

    async def _first_effects(self, bench: Bench, size: int) -> OperatorRow:
        """From the API server's answer to an applied Rollout until its Deployment exists."""
        samples, seen = [], bench.readiness.first_seen
        numbers = range(90_000 + size, 90_000 + size + self._probes)
        for number in numbers:
            name = objects.stable_of(number)
            await bench.create(objects.variant(number, name, 8))
            await bench.create(objects.rollout(number, name))
            applied = time.time()

            async def exists(name: str = name) -> bool:
                return name in seen

            await bench.until(exists, seconds=60, what="a Deployment")
            samples.append(seen[name] - applied)
        for number in numbers:
            where = f"/apis/{objects.API}/namespaces/{objects.namespace_of(number)}"
            await bench.send("DELETE", f"{where}/rollouts/{objects.rollout_of(number)}")
            await bench.send("DELETE", f"{where}/samplervariants/{objects.stable_of(number)}")
        return spread(size, "apply → Deployment exists", samples)

    async def _move(self, bench: Bench, numbers: Sequence[int]) -> None:
        """Point rollouts at candidates, and wait until these get their share."""
        await gather(bench.create(objects.variant(n, objects.candidate_of(n), 16)) for n in numbers)
        await self._point(bench, numbers, objects.candidate_of)
        names = map(objects.rollout_of, numbers)
        await bench.all_are(names, lambda status: status.get("weight") == "10%", seconds=180, what="10 %")
        runs = {number: bench.watcher.statuses[objects.rollout_of(number)]["runId"] for number in numbers}
        bench.questions.moving.update({number: (time.time(), run) for number, run in runs.items()})

    async def _point(self, bench: Bench, numbers: Sequence[int], variant_of: Callable[[int], str]) -> None:
        await gather(
            bench.patch(objects.API, objects.namespace_of(n), objects.rollout_of(n),
                        {"variantRef": {"name": variant_of(n)}})
            for n in numbers
        )  # fmt: skip

    async def _to_flag(self, bench: Bench, size: int, numbers: Sequence[int]) -> OperatorRow:
        """From the moment at which a counter shows harm until the flag says that nobody gets the variant."""
        samples: dict[str, float] = {}
        wanted = {objects.flag_of(number): objects.candidate_of(number) for number in numbers}
        async with httpx.AsyncClient(base_url=self.flags_url, trust_env=False) as client:
            revision = (await client.get("/v1/flags", timeout=30)).json()["revision"]
            bench.questions.harm(numbers)
            harmed = time.time()

            async def off() -> bool:
                nonlocal revision
                newer = (await client.get(f"/v1/flags?changedAfter={revision}")).json()
                revision = newer["revision"]
                for flag in newer["flags"]:
                    key, text = flag["key"], json.dumps(flag["document"])
                    if key in wanted and key not in samples and wanted[key] not in text:
                        history = (await client.get(f"/v1/flags/{key}/history?limit=1")).json()
                        samples[key] = history["changes"][0]["atMs"] / 1000 - harmed
                return len(samples) == len(wanted)

            await bench.until(off, seconds=120, what="harm flagged off")
        return spread(size, "evidence → flag written (scrape 1 s, block 5 s)", list(samples.values()))

    async def settle(self, bench: Bench) -> None:
        """Point the rollouts that were moved at their stable variants again."""
        numbers = self._moved
        for number in numbers:
            bench.questions.moving.pop(number, None)
        await self._point(bench, numbers, objects.stable_of)
        names = map(objects.rollout_of, numbers)
        await bench.all_are(names, lambda status: status.get("stage") == "stable", seconds=180, what="rest again")


def _is_ready(status: Object) -> bool:
    return bool(status.get("weights"))

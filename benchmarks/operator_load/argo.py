"""Runs Argo Rollouts' controller on the same bench, with as many of its own Rollouts.

Not the same work: its Rollouts own ReplicaSets, whose readiness is acted here, and it has neither flag service nor
evidence; a moving one is paused in a step while its background AnalysisRun asks Prometheus every five seconds.
"""

import asyncio
import subprocess
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from benchmarks.operator_load import objects
from benchmarks.operator_load.bench import Bench, Process, gather
from benchmarks.operator_load.measures import filled, moved, steady
from harness import binaries

from pitwall_crds.host.sockets import free_port

API: Final = "argoproj.io/v1alpha1"
NAME: Final = "rollouts-controller"
MODULE: Final = Path(__file__).parents[2] / "scripts" / "peers" / "argo-rollouts"
TEMPLATE: Final = "errors"


class ArgoRollouts:
    """Its controller with its own defaults."""

    api = API
    pods = ("replicasets", "")
    counts = ("replicas", "fullyLabeledReplicas", "readyReplicas", "availableReplicas")

    def __init__(self) -> None:
        self._path = binaries.found(NAME)[NAME]
        listed = [
            "go",
            "list",
            "-mod=readonly",
            "-m",
            "-f",
            "{{.Version}} {{.Dir}}",
            "github.com/argoproj/argo-rollouts",
        ]
        done = subprocess.run(listed, cwd=MODULE, capture_output=True, check=True, text=True, timeout=60)  # noqa: S603 – Go, and our own module
        version, _, folder = done.stdout.strip().partition(" ")
        self.name = f"argo-rollouts {version}"
        self.definitions = tuple(sorted(Path(folder, "manifests", "crds").glob("*-crd.yaml")))
        self._prometheus = ""
        self._moved: Sequence[int] = ()

    def processes(self, folder: Path, kubeconfig: Path, prometheus: str) -> tuple[Sequence[Process], Process, str]:
        self._prometheus = prometheus
        health, metrics = free_port(), free_port()
        command = [self._path, f"--kubeconfig={kubeconfig}", f"--healthzPort={health}", f"--metricsPort={metrics}"]
        environment = {"POD_NAMESPACE": "default"}  # of its Lease
        return (), Process(command, folder / "operator.log", environment), f"http://127.0.0.1:{health}/healthz"

    async def known(self, bench: Bench) -> int:
        """How many rollouts an earlier run left."""
        for number in range(objects.NAMESPACES):
            await bench.create(_analysis(number, self._prometheus))
        await asyncio.sleep(1)
        return len(bench.watcher.statuses)

    async def fill(self, bench: Bench, first: int, size: int) -> None:
        """Apply rollouts until there are so many, and wait until all are Healthy."""
        numbers = range(first, size)
        async with filled(bench, numbers, size):
            await gather(bench.create(_rollout(n)) for n in numbers)
            await bench.all_are(
                map(objects.rollout_of, numbers), partial(_is, "Healthy"), seconds=60 + size, what="Healthy"
            )

    async def measure(self, bench: Bench, size: int, seconds: float, count: int) -> None:
        """The same as of ours, but for flags and the time to a first effect."""
        await bench.rest(min(5.0, seconds / 2))
        await steady(bench, size, "all at rest", seconds)
        numbers = range(size - count, size)
        names = [objects.rollout_of(n) for n in numbers]
        async with moved(bench, numbers, size):
            await self._point(bench, numbers, "registry.example/runtime:2")
            await bench.all_are(names, partial(_is, "Paused"), seconds=180, what="paused in its step")
        await steady(bench, size, "2 % moving", seconds, moving=count)
        self._moved = numbers

    async def settle(self, bench: Bench) -> None:
        """Point the rollouts that were moved at what is stable again."""
        names = [objects.rollout_of(n) for n in self._moved]
        await self._point(bench, self._moved, "registry.example/runtime:1")
        await bench.all_are(names, partial(_is, "Healthy"), seconds=180, what="rest again")

    async def _point(self, bench: Bench, numbers: Sequence[int], image: str) -> None:
        await gather(
            bench.patch(API, objects.namespace_of(n), objects.rollout_of(n), {"template": _template(n, image)})
            for n in numbers
        )


def _is(phase: str, status: dict[str, Any]) -> bool:
    return status.get("phase") == phase


def _template(number: int, image: str) -> dict[str, Any]:
    labels = {"app": objects.rollout_of(number)}
    return {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "runtime", "image": image}]}}


def _rollout(number: int) -> dict[str, Any]:
    name = objects.rollout_of(number)
    steps: list[dict[str, Any]] = [{"setWeight": 10}, {"pause": {}}]
    return {
        "apiVersion": API,
        "kind": "Rollout",
        "metadata": {"name": name, "namespace": objects.namespace_of(number)},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": name}},
            "template": _template(number, "registry.example/runtime:1"),
            "strategy": {"canary": {"steps": steps, "analysis": {"templates": [{"templateName": TEMPLATE}]}}},
        },
    }


def _analysis(number: int, prometheus: str) -> dict[str, Any]:
    metric = {
        "name": "errors",
        "interval": "5s",
        "successCondition": "result[0] < 1",
        "provider": {"prometheus": {"address": prometheus, "query": "vector(0)"}},
    }
    return {
        "apiVersion": API,
        "kind": "AnalysisTemplate",
        "metadata": {"name": TEMPLATE, "namespace": objects.namespace_of(number)},
        "spec": {"metrics": [metric]},
    }

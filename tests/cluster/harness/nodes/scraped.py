"""Derives a real Prometheus' targets from the chart's PodMonitors, as the Prometheus operator would.

Debian's Prometheus is built without Kubernetes' service discovery, so this follows the pods in its place.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from typing import Any

from harness.plane.kube import Kubectl, KubectlRefusedError

EVERY_SECONDS = 2.0


@dataclass
class Scraped:
    """A thread that keeps the file of targets equal to the running pods that the monitors select."""

    kubectl: Kubectl
    namespace: str
    monitors: Sequence[Mapping[str, Any]]
    file: Path
    _stop: Event = field(default_factory=Event)

    def __post_init__(self) -> None:
        self._thread = Thread(target=self._follow, daemon=True)

    def __enter__(self) -> "Scraped":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _follow(self) -> None:
        while not self._stop.wait(EVERY_SECONDS):
            try:
                pods = self.kubectl.list("pods", self.namespace)
            except KubectlRefusedError:
                continue
            targets = [target for monitor in self.monitors for pod in pods for target in _targets(monitor, pod)]
            unfinished = self.file.with_suffix(".unfinished")
            unfinished.write_text(json.dumps(targets))
            unfinished.rename(self.file)


def _targets(monitor: Mapping[str, Any], pod: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    spec, where, labels = monitor["spec"], pod["metadata"]["namespace"], pod["metadata"]["labels"]
    if where not in spec.get("namespaceSelector", {}).get("matchNames", [monitor["metadata"]["namespace"]]):
        return
    if spec["selector"]["matchLabels"].items() <= labels.items():
        for endpoint in spec["podMetricsEndpoints"]:
            yield from _target(pod, endpoint["port"], labels[spec["jobLabel"]])


def _target(pod: Mapping[str, Any], port_name: str, job: str) -> Iterator[dict[str, Any]]:
    address = pod["status"].get("podIP")
    if pod["status"]["phase"] != "Running" or not address:
        return
    for container in pod["spec"]["containers"]:
        for port in container.get("ports", ()):
            if port.get("name") == port_name:
                place = {"namespace": pod["metadata"]["namespace"], "pod": pod["metadata"]["name"]}
                labels = {"job": job, **place, "container": container["name"], "endpoint": port_name}
                yield {"targets": [f"{address}:{port['containerPort']}"], "labels": labels}

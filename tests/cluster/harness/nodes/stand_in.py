"""A node that only reports its pods as running: `stand_in.py KUBECONFIG NAME` plays kubelet until it is ended.

The scheduler, the Deployment, ReplicaSet and EndpointSlice controllers are real; only the last step, a container that
starts and answers its probe, is told instead of done. A pod whose image ends in `:broken` never becomes ready.
"""

import contextlib
import json
import ssl
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import yaml

BEAT_SECONDS = 10
AGAIN_SECONDS = 1.0
MERGE = {"Content-Type": "application/merge-patch+json"}
ROOM = {"cpu": "1000", "memory": "1000Gi", "pods": "1000", "ephemeral-storage": "1000Gi"}


def client(kubeconfig: Path) -> httpx.Client:
    config = yaml.safe_load(kubeconfig.read_text())
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    trust = ssl.create_default_context(cafile=cluster["certificate-authority"])
    headers = {"Authorization": f"Bearer {user['token']}"}
    patience = httpx.Timeout(5, read=BEAT_SECONDS + 5)  # a watch is silent for as long as nothing happens
    return httpx.Client(base_url=cluster["server"], verify=trust, headers=headers, trust_env=False, timeout=patience)


class StandIn:
    """One node's bookkeeping."""

    def __init__(self, api: httpx.Client, name: str) -> None:
        self.api = api
        self.name = name
        self._addresses = 0
        self._running: set[str] = set()

    def register(self) -> None:
        """The node, with room for everything."""
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": self.name}}
        self.api.post("/api/v1/nodes", json=node)

    def beat(self) -> None:
        """What keeps the node lifecycle controller from evicting its pods."""
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        ready = {"type": "Ready", "status": "True", "reason": "StandIn", "lastHeartbeatTime": f"{now[:19]}Z"}
        status = {"conditions": [ready], "capacity": ROOM, "allocatable": ROOM}
        path = f"/api/v1/nodes/{self.name}/status"
        self.api.patch(path, json={"status": status}, headers=MERGE).raise_for_status()

    def look(self) -> None:
        """Says of every pod that is or comes here what a kubelet would, until it is time for the next beat."""
        chosen = {"fieldSelector": f"spec.nodeName={self.name}", "watch": "1", "timeoutSeconds": str(BEAT_SECONDS)}
        with self.api.stream("GET", "/api/v1/pods", params=chosen) as told:
            for line in told.raise_for_status().iter_lines():
                event = json.loads(line)
                if event["type"] in ("ADDED", "MODIFIED"):
                    self._see(event["object"])

    def _see(self, pod: dict[str, Any]) -> None:
        if pod["metadata"].get("deletionTimestamp"):
            self._delete(pod)
        elif not pod["status"].get("podIP") and pod["metadata"]["uid"] not in self._running:
            self._run(pod)

    def _delete(self, pod: dict[str, Any]) -> None:
        _taken(self.api.request("DELETE", _path(pod), json={"gracePeriodSeconds": 0}))

    def _run(self, pod: dict[str, Any]) -> None:
        self._addresses += 1
        address = f"192.0.2.{self._addresses % 250 + 1}"
        ready = not any(container["image"].endswith(":broken") for container in pod["spec"]["containers"])
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        conditions = [
            {"type": kind, "status": str(ready), "lastTransitionTime": now} for kind in ("Ready", "ContainersReady")
        ]
        containers = [
            {
                "name": container["name"], "image": container["image"], "imageID": "", "ready": ready,
                "started": ready, "restartCount": 0, "state": {"running": {"startedAt": now}},
            }
            for container in pod["spec"]["containers"]
        ]  # fmt: skip
        status = {
            "phase": "Running", "podIP": address, "podIPs": [{"ip": address}], "startTime": now,
            "conditions": [*pod["status"].get("conditions", ()), *conditions], "containerStatuses": containers,
        }  # fmt: skip
        _taken(self.api.patch(f"{_path(pod)}/status", json={"status": status}, headers=MERGE))
        self._running.add(pod["metadata"]["uid"])


def _path(pod: dict[str, Any]) -> str:
    return f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}"


def _taken(answer: httpx.Response) -> None:
    """Raises httpx.HTTPStatusError where it was not; a pod that is gone is no trouble."""
    if answer.status_code != httpx.codes.NOT_FOUND:
        answer.raise_for_status()


def main() -> None:
    """Until it is ended; an API server that is away comes back."""
    with client(Path(sys.argv[1])) as api:
        node = StandIn(api, sys.argv[2])
        while True:
            with contextlib.suppress(httpx.HTTPError):
                node.register()
                while True:
                    node.beat()
                    node.look()
            time.sleep(AGAIN_SECONDS)


if __name__ == "__main__":
    main()

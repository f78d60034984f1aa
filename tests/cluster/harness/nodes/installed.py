"""Installs the chart on the real node, with this machine's programs instead of images."""

import base64
import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml
from harness import binaries
from harness.nodes.images import RUNTIME_IMAGE, host_mounts
from harness.plane.kube import Kubectl, KubectlRefusedError, condition
from harness.processes import until
from harness.rollouts.world import CHART

COMPONENTS = ("operator", "flags", "gateway")
MONITOR = "PodMonitor"
"""A kind that the tests' API server does not know; its rules are followed by harness/nodes/scraped.py."""


def entrypoint(component: str) -> list[str]:
    """What the component's image starts."""
    text = (CHART.parents[1] / "images" / f"{component}.Dockerfile").read_text()
    command: list[str] = json.loads(re.findall(r"^ENTRYPOINT (.+)$", text, re.MULTILINE)[-1])
    return command


def on_this_machine(pod: dict[str, Any], component: str, aliases: Sequence[Mapping[str, Any]]) -> None:
    """Gives the pod this machine's programs instead of an image's, and names instead of a cluster's DNS."""
    volumes, mounts = host_mounts()
    spec = pod["spec"]
    (container,) = spec["containers"]
    container |= {"image": RUNTIME_IMAGE, "volumeMounts": [*container.get("volumeMounts", []), *mounts]}
    if component != "test":
        container["command"] = entrypoint(component)
    # Without a cluster's DNS, gRPC's own resolver waits for IPv6 addresses that /etc/hosts does not have.
    container["env"] = [*container.get("env", []), {"name": "GRPC_DNS_RESOLVER", "value": "native"}]
    spec |= {"volumes": [*spec.get("volumes", []), *volumes], "hostAliases": list(aliases)}


def runtime_template() -> dict[str, Any]:
    """A variant's pod-template overlay that does the same to runtime pods."""
    volumes, mounts = host_mounts()
    return {"spec": {"volumes": volumes, "containers": [{"name": "runtime", "volumeMounts": mounts}]}}


@dataclass
class Installed:
    """The chart's objects, applied one after another, since names need the Services' addresses."""

    kubectl: Kubectl
    namespace: str
    values: Mapping[str, Any] = field(default_factory=dict)
    release: str = "pit"
    addresses: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        image = {"repository": RUNTIME_IMAGE.partition(":")[0], "tag": "test"}
        own = {
            "crds": {"install": False},
            "operator": {"replicas": 1},
            "gateway": {"replicas": 1, "showAssignment": True, **self.values.get("gateway", {})},
            "watch": {"namespaces": [self.namespace]},
            "runtime": {
                "image": image,
                "allow": {"hostPaths": [one["hostPath"]["path"] for one in host_mounts()[0]]},
                **self.values.get("runtime", {}),
            },
        }
        command = [binaries.found("helm")["helm"], "template", self.release, CHART, f"--namespace={self.namespace}"]
        rendered = subprocess.run(
            [*command, "--values=-"],
            input=yaml.safe_dump({**self.values, **own}), capture_output=True, check=True, text=True, timeout=60,
        ).stdout  # fmt: skip
        self.objects = [one for one in yaml.load_all(rendered, yaml.CSafeLoader) if one]

    @property
    def name(self) -> str:
        """What the chart's names begin with."""
        return self.release if "pitwall" in self.release else f"{self.release}-pitwall"

    def make_services(self) -> None:
        """Makes the Services, as Helm marks what it has made, and remembers their addresses."""
        whose = {"meta.helm.sh/release-name": self.release, "meta.helm.sh/release-namespace": self.namespace}
        services = [one for one in self.objects if one["kind"] == "Service"]
        for one in services:
            one["metadata"]["annotations"] = {**one["metadata"].get("annotations", {}), **whose}
        self._apply(services)
        for component in COMPONENTS:
            service = self.kubectl.get("service", f"{self.name}-{component}", self.namespace)
            self.addresses[component] = service["spec"]["clusterIP"]

    def write_chart(self, folder: Path) -> None:
        """A chart of the same objects with this machine's programs, for Helm to install."""
        (folder / "templates").mkdir(parents=True)
        shutil.copy(CHART / "Chart.yaml", folder)
        at_home = [self._at_home(one) for one in self.objects if one["kind"] != MONITOR]
        text = str(yaml.dump_all(at_home, Dumper=yaml.CSafeDumper))
        (folder / "templates" / "all.yaml").write_text(text.replace("{{", '{{ "{{" }}'))

    def apply(self) -> None:
        """As `helm install` does it."""
        self.make_services()
        later = [one for one in self.objects if one["kind"] not in ("Service", "Pod", MONITOR)]
        self._apply([self._at_home(one) for one in later])

    def await_ready(self, component: str, count: int) -> None:
        """Returns once so many pods of a component are ready; fails with what they and their events say."""
        selector = f"app.kubernetes.io/component={component}"

        def are_ready() -> bool:
            pods = self.kubectl.list("pods", self.namespace, selector)
            return sum(condition(pod, "Ready") == "True" for pod in pods) == count

        try:
            until(are_ready, what=f"{count} ready pods of {component}", every=1.0)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.last_words(selector)}") from None

    def last_words(self, selector: str) -> str:
        """The ends of the pods' logs, and what Kubernetes says of them."""
        logs = ("logs", f"--selector={selector}", "--tail=30")
        asked = (logs, (*logs, "--previous"), ("describe", "pods"), ("describe", "rollouts"))
        return "\n".join(self.kubectl(*one, namespace=self.namespace, check=False) for one in asked)

    def test_pod(self) -> dict[str, Any]:
        """The pod of `helm test`."""
        (pod,) = [one for one in self.objects if one["kind"] == "Pod"]
        return self._at_home(pod)

    def token(self, scope: str) -> str:
        """One of the flag service's tokens."""
        data = self.kubectl.get("secret", "pitwall-flags-tokens", self.namespace)["data"]
        return base64.b64decode(data[scope]).decode()

    def api_key(self) -> str:
        """The key of the caller that the chart made."""
        data = self.kubectl.get("secret", f"{self.name}-gateway-callers", self.namespace)["data"]
        return base64.b64decode(data["key"]).decode()

    def variants(self) -> list[str]:
        """Those that the gateway names; it is ready before there is any."""
        key = {"authorization": f"Bearer {self.api_key()}"}
        answer = httpx.get(f"http://{self.addresses['gateway']}/v1/models", headers=key, timeout=5, trust_env=False)
        found: list[str] = answer.json()["data"][0]["pitwall"]["variants"]
        return found

    def speaks_plainly(self) -> bool:
        """Whether the flag service answers who speaks no TLS, and so whoever listens on the way."""
        try:
            return httpx.get(f"http://{self.addresses['flags']}:8016/readyz", timeout=5, trust_env=False).is_success
        except httpx.TransportError:
            return False

    def refusal(self) -> str:
        """What the webhook says of a sampler that does not exist; empty while it lets everything in."""
        spec = {"sampler": {"name": "unifrom"}, "maxFrames": 8}
        head = {"apiVersion": "pitwall.dev/v1alpha1", "kind": "SamplerVariant", "metadata": {"name": "typo-v1"}}
        try:
            self.kubectl(
                "apply", "--dry-run=server", "-f", "-", namespace=self.namespace, manifest={**head, "spec": spec}
            )
        except KubectlRefusedError as error:
            return str(error)
        return ""

    def remove(self) -> None:
        """Deletes what is not in the namespace; the namespace goes with the rest."""
        for one in self.objects:
            if "namespace" not in one["metadata"]:
                self.kubectl("delete", one["kind"], one["metadata"]["name"], "--wait=false", check=False)

    def _at_home(self, one: dict[str, Any]) -> dict[str, Any]:
        aliases = [
            {"ip": address, "hostnames": [f"{self.name}-{component}.{self.namespace}.svc"]}
            for component, address in self.addresses.items()
        ]
        pod = one if one["kind"] == "Pod" else one.get("spec", {}).get("template")
        if pod:
            on_this_machine(pod, one["metadata"]["labels"]["app.kubernetes.io/component"], aliases)
        return one

    def _apply(self, objects: Sequence[Mapping[str, Any]]) -> None:
        self.kubectl("apply", "--server-side", "-f", "-", manifest=objects)


@contextmanager
def installed(
    kubectl: Kubectl, namespace: str, folder: Path, values: Mapping[str, Any] | None = None, release: str = "pit"
) -> Iterator[Installed]:
    """The rendered chart, not applied yet, with a volume for the flag service's claim; removed afterwards."""
    made = Installed(kubectl, namespace, values or {}, release)
    with _volume(made, folder):
        try:
            yield made
        finally:
            made.remove()


@contextmanager
def _volume(made: Installed, parent: Path) -> Iterator[None]:
    kubectl, namespace = made.kubectl, made.namespace
    folder = parent / "flags"
    folder.mkdir()
    folder.chmod(0o777)
    parent.chmod(0o755)
    claim = {"namespace": namespace, "name": f"data-{made.name}-flags-0"}
    spec = {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": str(folder)}}
    head = {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": namespace}}
    kubectl.apply({**head, "spec": {**spec, "claimRef": claim}})
    try:
        yield
    finally:
        kubectl("delete", "persistentvolume", namespace, "--wait=false", check=False)

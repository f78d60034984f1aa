"""What the chart installs runs on a real node: operator, flag service, gateway, and the runtime that they start."""

import json
import re
import subprocess
from pathlib import Path

import httpx
import pytest
import yaml
from harness import binaries, kube
from harness.images import RUNTIME_IMAGE, host_mounts
from harness.processes import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(420)]
ROOT = Path(__file__).parents[2]
SECONDS = 150.0


def entrypoint(component):
    """What the component's image starts."""
    text = (ROOT / "images" / f"{component}.Dockerfile").read_text()
    return json.loads(re.findall(r"^ENTRYPOINT (.+)$", text, re.MULTILINE)[-1])


def on_this_machine(pod, component, aliases):
    """The pod with this machine's programs instead of an image's, and with names instead of a cluster's DNS."""
    volumes, mounts = host_mounts()
    spec = pod["spec"]
    (container,) = spec["containers"]
    container |= {"image": RUNTIME_IMAGE, "volumeMounts": [*container.get("volumeMounts", []), *mounts]}
    if component != "test":
        container["command"] = entrypoint(component)
    spec |= {"volumes": [*spec.get("volumes", []), *volumes], "hostAliases": aliases}


class Installed:
    """The chart's objects, applied one after another, since names need the Services' addresses."""

    def __init__(self, kubectl, namespace):
        self.kubectl, self.namespace = kubectl, namespace
        command = [binaries.found("helm")["helm"], "template", "pit", ROOT / "charts" / "pitwall"]
        command += [
            "--namespace",
            namespace,
            "--set",
            "crds.install=false,operator.replicas=1,gateway.replicas=1",
            "--set",
            f"watch.namespaces={{{namespace}}}",
        ]
        command += ["--set", f"runtime.image.repository={RUNTIME_IMAGE.partition(':')[0]},runtime.image.tag=test"]
        rendered = subprocess.run(command, capture_output=True, check=True, text=True, timeout=60).stdout
        self.objects = [one for one in yaml.safe_load_all(rendered) if one]
        self.addresses = {}

    def apply(self):
        self._apply([one for one in self.objects if one["kind"] == "Service"])
        for component in ("operator", "flags", "gateway"):
            service = self.kubectl.get("service", f"pit-pitwall-{component}", self.namespace)
            self.addresses[component] = service["spec"]["clusterIP"]
        self._apply([self._at_home(one) for one in self.objects if one["kind"] not in ("Service", "Pod")])

    def await_ready(self, component, count):
        """Returns once so many pods of a component are ready; fails with what they and their events say."""
        selector = f"app.kubernetes.io/component={component}"
        pods = lambda: self.kubectl.list("pods", self.namespace, selector)  # noqa: E731
        try:
            until(
                lambda: sum(kube.condition(pod, "Ready") == "True" for pod in pods()) == count,
                seconds=SECONDS, what=f"{count} ready pods of {component}", every=1.0,
            )  # fmt: skip
        except AssertionError as error:
            logs = ("logs", f"--selector={selector}", "--tail=30")
            asked = (logs, (*logs, "--previous"), ("describe", "pods"), ("describe", "rollouts"))
            told = [self.kubectl(*one, namespace=self.namespace, check=False) for one in asked]
            raise AssertionError("\n".join([str(error), *told])) from None

    def test_pod(self):
        (pod,) = [one for one in self.objects if one["kind"] == "Pod"]
        return self._at_home(pod)

    def remove(self):
        """What is not in the namespace; the namespace goes with the rest."""
        for one in self.objects:
            if "namespace" not in one["metadata"]:
                self.kubectl("delete", one["kind"], one["metadata"]["name"], "--wait=false", check=False)

    def _at_home(self, one):
        aliases = [
            {"ip": address, "hostnames": [f"pit-pitwall-{component}.{self.namespace}.svc"]}
            for component, address in self.addresses.items()
        ]
        pod = one if one["kind"] == "Pod" else one.get("spec", {}).get("template")
        if pod:
            on_this_machine(pod, one["metadata"]["labels"]["app.kubernetes.io/component"], aliases)
        return one

    def _apply(self, objects):
        self.kubectl("apply", "--server-side", "-f", "-", manifest=objects)


@pytest.fixture
def volume(kubectl, namespace, tmp_path):
    """Where the flag service's claim finds room."""
    folder = tmp_path / "flags"
    folder.mkdir()
    folder.chmod(0o777)
    tmp_path.chmod(0o755)
    claim = {"namespace": namespace, "name": "data-pit-pitwall-flags-0"}
    spec = {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": str(folder)}}
    head = {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": namespace}}
    kubectl.apply({**head, "spec": {**spec, "claimRef": claim}})
    yield
    kubectl("delete", "persistentvolume", namespace, "--wait=false", check=False)


@pytest.fixture
def installed(kubectl, node, namespace, volume):
    made = Installed(kubectl, namespace)
    try:
        yield made
    finally:
        made.remove()


def resources(namespace):
    """A variant whose pods have this machine's programs, and the rollout that serves it."""
    volumes, mounts = host_mounts()
    overlay = {"spec": {"volumes": volumes, "containers": [{"name": "runtime", "volumeMounts": mounts}]}}
    variant = {"sampler": {"name": "uniform"}, "maxFrames": 8, "runtime": {"replicas": 1, "template": overlay}}
    rollout = {
        "flag": "sampler.variant",
        "variantRef": {"name": "uniform-v1"},
        "stages": [{"weightBasisPoints": 10000}],
        "analysis": {"gates": [{"name": "errors", "rate": {"metric": "Errors"}, "marginPercent": 10}]},
    }
    api = {"apiVersion": "pitwall.dev/v1alpha1"}
    return [
        {**api, "kind": "SamplerVariant", "metadata": {"name": "uniform-v1"}, "spec": variant},
        {**api, "kind": "Rollout", "metadata": {"name": "sampler"}, "spec": rollout},
    ]


def refusal(kubectl, namespace):
    """What the webhook says of a sampler that does not exist; empty while it lets everything in."""
    (variant, _) = resources(namespace)
    variant["metadata"]["name"] = "typo-v1"
    variant["spec"]["sampler"]["name"] = "unifrom"
    try:
        kubectl("apply", "--dry-run=server", "-f", "-", namespace=namespace, manifest=variant)
    except kube.RefusedError as error:
        return str(error)
    return ""


def test_the_chart_serves_the_first_variant_and_refuses_an_unknown_sampler(installed, kubectl, namespace):
    installed.apply()
    installed.await_ready("operator", 1)
    installed.await_ready("flags", 1)
    until(lambda: refusal(kubectl, namespace), seconds=30, what="a word of the webhook")

    kubectl("apply", "-f", "-", namespace=namespace, manifest=resources(namespace))
    installed.await_ready("gateway", 1)
    models = httpx.get(f"http://{installed.addresses['gateway']}/v1/models", timeout=5).json()["data"]
    rollout = kubectl.get("rollout", "sampler", namespace)
    kubectl("apply", "-f", "-", manifest=installed.test_pod())
    kubectl(
        "wait", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=60s", "pod/pit-pitwall-test", namespace=namespace
    )

    assert "'unifrom' is unknown" in refusal(kubectl, namespace)
    assert rollout["status"]["stableVariant"] == "uniform-v1"
    assert models[0]["pitwall"]["variants"] == ["uniform-v1"]

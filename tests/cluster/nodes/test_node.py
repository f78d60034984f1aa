"""A real node runs our runtime, from an image that no registry holds."""

from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import httpx
import pytest
from harness.nodes import network as networks
from harness.nodes.images import RUNTIME_IMAGE, host_mounts
from harness.nodes.node import CGROUPS, Node
from harness.plane.kube import Kubectl, admits_pods, as_yaml, condition
from harness.processes import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

LABELS = {"app.kubernetes.io/name": "pitwall-runtime", "pitwall.dev/variant": "uniform-v1"}
VARIANT = {
    "apiVersion": "pitwall.dev/v1alpha1",
    "kind": "SamplerVariant",
    "metadata": {"name": "uniform-v1"},
    "spec": {"sampler": {"name": "uniform"}, "maxFrames": 8},
}
SERVE = (
    "python", "-m", "pitwall_runtime.serve", "--variant", "/etc/pitwall/variant.yaml", "--arm", "stable",
    "--host", "0.0.0.0", "--port", "8000", "--cache-dir", "/var/cache/pitwall",
)  # fmt: skip


def runtime(replicas: int) -> list[dict[str, Any]]:
    """A variant's Deployment and Service, and the file that names the sampler."""
    volumes, mounts = host_mounts()
    container = {
        "name": "runtime",
        "image": RUNTIME_IMAGE,
        "command": list(SERVE),
        "ports": [{"name": "http", "containerPort": 8000}],
        "readinessProbe": {"httpGet": {"path": "/readyz", "port": "http"}, "periodSeconds": 1},
        "volumeMounts": [*mounts, {"name": "variant", "mountPath": "/etc/pitwall"}],
    }
    pod = {"containers": [container], "volumes": [*volumes, {"name": "variant", "configMap": {"name": "uniform-v1"}}]}
    return [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "uniform-v1"},
            "data": {"variant.yaml": as_yaml(VARIANT)},
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "uniform-v1", "labels": LABELS},
            "spec": {"selector": LABELS, "ports": [{"name": "http", "port": 8000, "targetPort": "http"}]},
        },
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "uniform-v1", "labels": LABELS},
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": LABELS},
                "template": {"metadata": {"labels": LABELS}, "spec": pod},
            },
        },
    ]


def only_pod(kubectl: Kubectl, namespace: str) -> dict[str, Any]:
    [pod] = kubectl.list("pods", namespace)
    return pod


def restarts(pod: dict[str, Any]) -> int:
    return sum(each["restartCount"] for each in pod["status"].get("containerStatuses", ()))


def answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2).status_code == 200
    except httpx.TransportError:
        return False


@pytest.mark.usefixtures("node")
def test_a_runtime_becomes_ready_answers_and_is_restarted(kubectl: Kubectl, namespace: str):
    kubectl.apply(runtime(replicas=1), namespace)
    until(
        lambda: condition(kubectl.get("deployment", "uniform-v1", namespace), "Available") == "True",
        what="an available Deployment", every=1.0,
    )  # fmt: skip
    service = kubectl.get("service", "uniform-v1", namespace)["spec"]["clusterIP"]
    pod = only_pod(kubectl, namespace)
    name = pod["metadata"]["name"]

    until(lambda: answers(f"http://{pod['status']['podIP']}:8000/readyz"), what="the pod")
    until(lambda: answers(f"http://{service}:8000/readyz"), what="the Service")
    assert "uniform-v1 is ready" in kubectl("logs", name, namespace=namespace)
    told = kubectl("exec", name, "--", "python", "-c", "print('inside')", namespace=namespace)
    assert "inside" in told.splitlines()  # kubectl says now and then that it discards a message

    kubectl("exec", name, "--", "python", "-c", "import os; os.kill(1, 15)", namespace=namespace)
    until(lambda: restarts(only_pod(kubectl, namespace)) == 1, what="a restart")
    until(lambda: answers(f"http://{service}:8000/readyz"), what="the restarted pod")


@pytest.mark.usefixtures("node")
def test_pods_reach_the_api_server(kubectl: Kubectl, namespace: str):
    volumes, mounts = host_mounts()
    ask = (
        "import os, ssl, urllib.request as r; folder = '/var/run/secrets/kubernetes.io/serviceaccount/';"
        "token = open(folder + 'token').read(); context = ssl.create_default_context(cafile=folder + 'ca.crt');"
        "address = 'https://' + os.environ['KUBERNETES_SERVICE_HOST'] + '/version';"
        "request = r.Request(address, headers={'Authorization': 'Bearer ' + token});"
        "print(r.urlopen(request, context=context).read().decode())"
    )
    container = {"name": "ask", "image": RUNTIME_IMAGE, "command": ["python", "-c", ask], "volumeMounts": mounts}
    spec = {"containers": [container], "volumes": volumes, "restartPolicy": "Never"}
    until(lambda: admits_pods(kubectl, namespace), what="the namespace's service account")
    kubectl.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "ask"}, "spec": spec}, namespace)

    kubectl("wait", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=55s", "pod/ask", namespace=namespace)

    assert "gitVersion" in kubectl("logs", "ask", namespace=namespace)


def test_a_node_leaves_nothing_behind(node: Node, kubectl: Kubectl, namespace: str):
    """A second node beside the first has other addresses; stopped, its processes, cgroups and folders are gone."""
    volumes, mounts = host_mounts()
    container = {"name": "sleep", "image": RUNTIME_IMAGE, "command": ["sleep", "600"], "volumeMounts": mounts}
    spec = {"nodeName": "second", "containers": [container], "volumes": volumes}
    network = networks.create()
    second = Node(network, node.kubeconfig, name="second")
    try:
        second.start()
        until(lambda: admits_pods(kubectl, namespace), what="the namespace's service account")
        kubectl.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "sleep"}, "spec": spec}, namespace)
        kubectl("wait", "--for=condition=Ready", "--timeout=50s", "pod/sleep", namespace=namespace)
        address = kubectl.get("pod", "sleep", namespace)["status"]["podIP"]
        processes = processes_of(second)
    finally:
        second.stop()
        network.remove()
        kubectl("delete", "node", "second")

    assert ip_address(address) in ip_network(network.pods)
    assert not ip_network(network.pods).overlaps(ip_network(node.network.pods))
    assert [name for _, name in processes if "containerd-shim" in name]
    until(lambda: not any(Path(f"/proc/{number}").exists() for number, _ in processes), what="their end")
    assert list(CGROUPS.glob(f"*/{network.name}")) == []
    assert not second.folder.exists()
    assert not network.path.exists()


def processes_of(node: Node) -> list[tuple[int, str]]:
    """Everything that runs below the node's first process: its number and command line."""
    parents, lines = {}, {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(path.name)] = int((path / "stat").read_text().rpartition(")")[2].split()[1])
            lines[int(path.name)] = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
    found = [node.process.pid]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return [(one, lines[one]) for one in found]

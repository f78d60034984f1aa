"""Fixtures: a real Kubernetes control plane, started once for a session, and the services beside it."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import binaries
from harness.nodes import network as networks
from harness.nodes import node as node_module
from harness.nodes.network import Network
from harness.nodes.node import Node
from harness.plane import kube
from harness.plane.control_plane import ControlPlane
from harness.processes import Process, until
from harness.rollouts.scenario import Scenario
from harness.rollouts.world import FlagServiceProcess, Operator, Prometheus, QuestionLoad, grant

ROOT = Path(__file__).parents[2]
STAND_IN = "stand-in"
GIVEN = "PITWALL_TEST_KUBECONFIG"


@pytest.fixture(scope="package")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cluster")


@pytest.fixture(scope="package")
def network() -> Iterator[Network | str]:
    """What joins a node to this machine, or why no node can run here."""
    reason = node_module.obstacle()
    if reason is not None:
        yield reason
        return
    try:
        made = networks.create()
    except networks.NetworkError as error:
        yield f"a node needs a network of its own: {error}"
        return
    try:
        yield made
    finally:
        made.remove()


@pytest.fixture(scope="package")
def own_control_plane(folder: Path, network: Network | str) -> Iterator[ControlPlane | None]:
    """The control plane that this session started; None where a cluster was given."""
    if os.environ.get(GIVEN):
        yield None
        return
    plane = ControlPlane(folder)
    if isinstance(network, Network):
        plane = ControlPlane(folder, network.host, network.services, network.pods)
    try:
        yield plane.start()
    finally:
        plane.stop()


@pytest.fixture
def control_plane(own_control_plane: ControlPlane | None) -> ControlPlane:
    """For tests that break it: they must not be run against somebody's cluster."""
    if own_control_plane is None:
        pytest.skip(f"{GIVEN} is set: this test would break or inspect the given cluster's control plane")
    own_control_plane.await_ready()
    return own_control_plane


@pytest.fixture(scope="package")
def kubectl(own_control_plane: ControlPlane | None) -> kube.Kubectl:
    """`kubectl("get", "pods", namespace=…)` as the cluster's administrator; returns what it prints."""
    if own_control_plane is None:
        return kube.Kubectl(kube.program(), Path(os.environ[GIVEN]))
    return kube.Kubectl(own_control_plane.paths["kubectl"], own_control_plane.kubeconfig)


@pytest.fixture(scope="package")
def crds(kubectl: kube.Kubectl) -> None:
    """Our resources, known to the API server."""
    kubectl("apply", "-f", str(ROOT / "crds"))
    # Not `kubectl wait`: it fails where it comes before the first condition.
    until(
        lambda: all(kube.condition(kubectl.get("crd", name), "Established") == "True" for name in kube.CRDS),
        what="our resources",
    )  # fmt: skip
    until(lambda: kube.is_explained(kubectl), what="the description of our resources")


@pytest.fixture(scope="package")
def real_node(own_control_plane: ControlPlane | None, network: Network | str, kubectl: kube.Kubectl) -> Iterator[Node]:
    """A real node, ready and cordoned; tests that need it are skipped where none can run."""
    if own_control_plane is None:
        pytest.skip(f"{GIVEN} is set: the given cluster has nodes of its own")
    if isinstance(network, str):
        pytest.skip(network)
    made = Node(network, own_control_plane.kubeconfig_of("kubelet"))
    try:
        made.start()
        try:
            until(lambda: kube.is_ready_node(kubectl, node_module.NAME), what="a node")
        except AssertionError:
            pytest.skip(f"the node did not become ready:\n{made.last_words()}")
        kubectl("cordon", node_module.NAME)
        yield made
    finally:
        made.stop()
        kubectl("delete", "node", node_module.NAME, check=False)


@pytest.fixture
def node(real_node: Node, kubectl: kube.Kubectl) -> Iterator[Node]:
    """The real node, and the only one that takes pods during the test."""
    with kube.uncordoned(kubectl, node_module.NAME):
        yield real_node


@pytest.fixture
def namespace(kubectl: kube.Kubectl, crds: None) -> Iterator[str]:
    """An empty namespace, removed after the test."""
    name = kube.new_name()
    kubectl("create", "namespace", name)
    yield name
    kubectl("delete", "namespace", name, "--wait=false", check=False)


@pytest.fixture(scope="package")
def flag_service(folder: Path) -> Iterator[FlagServiceProcess]:
    """The real flag service, one for all tests; each has a flag of its own."""
    made = FlagServiceProcess(folder)
    try:
        yield made.start()
    finally:
        made.process.stop()


@pytest.fixture(scope="package")
def prometheus(folder: Path) -> Iterator[Prometheus]:
    """A real Prometheus that scrapes the tests' loads."""
    made = Prometheus(folder / "prometheus")
    try:
        yield made.start()
    finally:
        made.process.stop()


def pretend(plane: ControlPlane, name: str, folder: Path) -> Process:
    """Another node that only pretends; it is lost when its process ends."""
    script = ROOT / "tests" / "cluster" / "harness" / "nodes" / "stand_in.py"
    return Process([sys.executable, script, plane.kubeconfig_of("kubelet"), name], folder / f"{name}.log").start()


@pytest.fixture
def doomed(control_plane: ControlPlane, kubectl: kube.Kubectl, tmp_path: Path) -> Iterator[Process]:
    """A pretended node that a test may lose; pods come to it only if they select the label `pitwall-test=doomed`."""
    name = f"doomed-{kube.new_name()}"
    made = pretend(control_plane, name, tmp_path)
    try:
        until(lambda: kube.is_ready_node(kubectl, name), what="the node")
        kubectl("taint", "node", name, "pitwall-test=doomed:NoSchedule")
        kubectl("label", "node", name, "pitwall-test=doomed")
        yield made
    finally:
        made.kill()
        kubectl("delete", "node", name, check=False)


@pytest.fixture(scope="package")
def pretended_node(own_control_plane: ControlPlane | None, folder: Path, kubectl: kube.Kubectl) -> Iterator[None]:
    """A node whose pods are ready as soon as they are placed, cordoned; see harness/nodes/stand_in.py."""
    if own_control_plane is None:
        pytest.skip(f"{GIVEN} is set: a node that only pretends must not join the given cluster")
    made = pretend(own_control_plane, STAND_IN, folder)
    try:
        until(lambda: kube.is_ready_node(kubectl, STAND_IN), what="the stand-in")
        kubectl("cordon", STAND_IN)
        yield
    finally:
        made.stop()
        kubectl("delete", "node", STAND_IN, check=False)


@pytest.fixture
def stand_in(pretended_node: None, kubectl: kube.Kubectl) -> Iterator[None]:
    """The pretended node, and the only one that takes pods during the test."""
    with kube.uncordoned(kubectl, STAND_IN):
        yield


@pytest.fixture
def operator_rights(kubectl: kube.Kubectl, namespace: str) -> None:
    """The rights that the chart gives to the operator, for the user `operator` in this namespace."""
    grant(kubectl, binaries.found("helm")["helm"], namespace)


@pytest.fixture
def scenario(
    kubectl: kube.Kubectl, namespace: str, control_plane: ControlPlane, flag_service: FlagServiceProcess,
    prometheus: Prometheus, stand_in: None, operator_rights: None, tmp_path: Path,
) -> Iterator[Scenario]:  # fmt: skip
    """A namespace with an operator and users of its own; nothing is started or applied yet."""
    load = QuestionLoad(flag_service, prometheus, namespace, f"{namespace}.variant", tmp_path)
    operator = Operator(control_plane, flag_service, prometheus, namespace, tmp_path)
    made = Scenario(kubectl, namespace, flag_service, prometheus, load, operator)
    try:
        yield made
    finally:
        for replica in (operator, *made.replicas):
            replica.process.kill()
        load.stop()

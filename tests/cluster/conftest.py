"""A real Kubernetes for the tests of this folder, started once for a session, and what they need beside it."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import kube
from harness.control_plane import ControlPlane

ROOT = Path(__file__).parents[2]
GIVEN = "PITWALL_TEST_KUBECONFIG"


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cluster")


@pytest.fixture(scope="session")
def own_control_plane(folder: Path) -> Iterator[ControlPlane | None]:
    """The control plane that this session started; None where a cluster was given."""
    if os.environ.get(GIVEN):
        yield None
        return
    plane = ControlPlane(folder)
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


@pytest.fixture(scope="session")
def kubectl(own_control_plane: ControlPlane | None) -> kube.Kubectl:
    """`kubectl("get", "pods", namespace=…)` as the cluster's administrator; returns what it prints."""
    if own_control_plane is None:
        return kube.Kubectl(kube.program(), Path(os.environ[GIVEN]))
    return kube.Kubectl(own_control_plane.paths["kubectl"], own_control_plane.kubeconfig)


@pytest.fixture(scope="session")
def crds(kubectl: kube.Kubectl) -> None:
    """Our resources, known to the API server."""
    kubectl("apply", "-f", str(ROOT / "crds"))
    kubectl("wait", "--for=condition=Established", "--timeout=30s", "crd", *kube.CRDS)


@pytest.fixture
def namespace(kubectl: kube.Kubectl, crds: None) -> Iterator[str]:
    """An empty namespace, removed after the test."""
    name = kube.new_name()
    kubectl("create", "namespace", name)
    yield name
    kubectl("delete", "namespace", name, "--wait=false", check=False)

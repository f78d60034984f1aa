"""Fixtures: the command line as kubectl's plugin, in a namespace of its own."""

from pathlib import Path

import pytest
from harness import plugin as harness
from harness.plane.kube import Kubectl
from harness.plugin import Plugin
from harness.rollouts.told import CANARY, rollout


@pytest.fixture(scope="package")
def programs(folder: Path) -> Path:
    return harness.install(folder / "programs")


@pytest.fixture
def pitwall(kubectl: Kubectl, namespace: str, programs: Path, tmp_path: Path) -> Plugin:
    """`kubectl pitwall …` of the administrator, in the test's namespace."""
    mine = harness.in_namespace(kubectl.kubeconfig, namespace, tmp_path / "kubeconfig")
    return Plugin(programs, kubectl.binary, mine, tmp_path)


@pytest.fixture
def moving(kubectl: Kubectl, namespace: str) -> str:
    """A Rollout at 10 %."""
    kubectl.apply(rollout("sampler"), namespace)
    kubectl.patch_status("rollout", "sampler", CANARY, namespace)
    return "sampler"

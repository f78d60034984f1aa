"""The command line as kubectl's plugin, in a namespace of its own."""

from pathlib import Path

import pytest
from harness import plugin as harness
from harness.kube import Kubectl
from harness.plugin import Plugin


@pytest.fixture(scope="package")
def programs(folder: Path) -> Path:
    return harness.install(folder / "programs")


@pytest.fixture
def pitwall(kubectl: Kubectl, namespace: str, programs: Path, tmp_path: Path) -> Plugin:
    """`kubectl pitwall …` of the administrator, in the test's namespace."""
    mine = harness.in_namespace(kubectl.kubeconfig, namespace, tmp_path / "kubeconfig")
    return Plugin(programs, kubectl.binary, mine, tmp_path)

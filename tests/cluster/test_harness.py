"""What the tests of this folder stand on: the binaries' finder."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

FINDER = Path(__file__).parents[2] / "scripts" / "kube" / "binaries.py"


def find(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, FINDER, *arguments],
        env=os.environ | environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.fixture
def bare(tmp_path: Path) -> dict[str, str]:
    """An environment without Go, without binaries and with an empty cache."""
    empty = tmp_path / "empty"
    empty.mkdir()
    names = ("PITWALL_KUBE_BIN", "KUBEBUILDER_ASSETS")
    return {"PATH": str(empty), "PITWALL_KUBE_CACHE": str(empty), **dict.fromkeys(names, "")}


@pytest.mark.parametrize("variable", ["PITWALL_KUBE_BIN", "KUBEBUILDER_ASSETS"])
def test_a_given_folder_comes_first(tmp_path: Path, bare: dict[str, str], variable: str):
    given = tmp_path / "etcd"
    given.touch()

    done = find("etcd", **bare | {variable: str(tmp_path)})

    assert json.loads(done.stdout) == {"etcd": str(given)}


@pytest.mark.parametrize(
    ("tells", "taken"),
    [pytest.param("v4.0.1", True, id="recent-enough"), pytest.param("v3.2.0", False, id="too-old")],
)
def test_path_is_taken_by_version(tmp_path: Path, bare: dict[str, str], tells: str, taken: bool):
    helm = tmp_path / "helm"
    helm.write_text(f"#!/bin/sh\necho {tells}\n")
    helm.chmod(0o755)

    done = find("--find", "helm", **bare | {"PATH": f"{tmp_path}:{os.environ['PATH']}"})

    assert (done.returncode == 0) is taken, done.stderr


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [
        pytest.param(("etcd",), "install Go 1.26 or newer", id="no-go"),
        pytest.param(("--find", "etcd"), "build them with python scripts/kube/binaries.py", id="only-looking"),
        pytest.param(("kubeadm",), "there are etcd", id="unknown-name"),
    ],
)
def test_a_missing_binary_is_refused_with_the_remedy(bare: dict[str, str], arguments: tuple[str, ...], remedy: str):
    done = find(*arguments, **bare)

    assert done.returncode != 0
    assert remedy in done.stderr

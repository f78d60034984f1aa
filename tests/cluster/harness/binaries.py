"""Finds the programs that the cluster's tests start, or skips the test and names what is missing."""

import json
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "scripts" / "kube" / "binaries.py"
CONTROL_PLANE = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl")
NODE = ("kubelet", "kube-proxy", "pitwall-pause")


@cache
def _find(names: tuple[str, ...]) -> dict[str, Path] | str:
    found = subprocess.run(
        [sys.executable, SCRIPT, "--find", *names], capture_output=True, check=False, text=True, timeout=120
    )
    if found.returncode:
        return found.stderr.strip()
    return {name: Path(path) for name, path in json.loads(found.stdout).items()}


def found(*names: str) -> dict[str, Path]:
    """Where each program is; tests that need a missing one are skipped with the remedy."""
    paths = _find(names)
    if isinstance(paths, str):
        pytest.skip(paths)
    return paths


def output(program: Path, *arguments: str) -> str:
    """What a program prints; its complaint where it fails."""
    done = subprocess.run([program, *arguments], capture_output=True, check=False, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout

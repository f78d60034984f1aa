"""Renders the chart with Helm for the tests of this folder."""

import json
import subprocess
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
import yaml
from harness import binaries

CHART = Path(__file__).parents[2] / "charts" / "pitwall"
VALUES = Path(__file__).parent / "values"
EXAMPLES = CHART.parents[1] / "examples" / "install"
CASES = sorted(path.stem for path in VALUES.glob("*.yaml"))
Object = dict[str, Any]


class HelmError(Exception):
    """Helm ended with an error; the message is what it said."""


def helm(*arguments: str | Path) -> str:
    """What Helm prints; tests that need it are skipped where it is missing."""
    command = [binaries.found("helm")["helm"], *arguments]
    done = subprocess.run(command, capture_output=True, check=False, text=True, timeout=120)
    if done.returncode:
        raise HelmError(done.stderr + done.stdout)
    return done.stdout


@pytest.fixture(name="helm", scope="session")
def helm_program() -> Callable[..., str]:
    return helm


class Rendered:
    """The objects of one rendering."""

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def objects(self) -> list[Object]:
        return [found for found in yaml.load_all(self.text, yaml.CSafeLoader) if found]

    def all(self, kind: str) -> list[Object]:
        return [found for found in self.objects if found["kind"] == kind]

    def one(self, kind: str, suffix: str) -> Object:
        (found,) = [found for found in self.all(kind) if found["metadata"]["name"].endswith(suffix)]
        return found

    def pods(self) -> dict[str, Object]:
        """Pod templates by component."""
        templates = [found["spec"]["template"] for found in self.objects if "template" in found.get("spec", {})]
        templates += [{"metadata": pod["metadata"], "spec": pod["spec"]} for pod in self.all("Pod")]
        return {each["metadata"]["labels"]["app.kubernetes.io/component"]: each for each in templates}

    def arguments(self, component: str) -> list[str]:
        """The command line of a component's container."""
        (container,) = self.pods()[component]["spec"]["containers"]
        found: list[str] = container["args"]
        return found


@pytest.fixture(scope="session")
def render() -> Callable[..., Rendered]:
    def run(case: str = "default", **changes: Any) -> Rendered:
        sets = [word for path, value in changes.items() for word in ("--set-json", f"{path}={json.dumps(value)}")]
        values = VALUES / f"{case}.yaml"
        return Rendered(helm("template", "pit", CHART, "--namespace", "race", "--values", values, *sets))

    return run


@pytest.fixture(scope="session")
def release() -> Callable[[str, str, str], Rendered]:
    """A release of a name in a namespace, by a file of examples/install."""

    def run(name: str, namespace: str, values: str) -> Rendered:
        return Rendered(helm("template", name, CHART, "--namespace", namespace, "--values", EXAMPLES / values))

    return run


@pytest.fixture(scope="session", params=CASES)
def rendered(request: pytest.FixtureRequest, render: Callable[..., Rendered]) -> Rendered:
    """Every values file in turn."""
    return render(request.param)

"""Runs kubectl for tests."""

import json
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from harness import binaries

from pitwall_crds.generate.render import KINDS

OPENAPI = "/openapi/v3/apis/pitwall.dev/v1alpha1"
CRDS = ("samplervariants.pitwall.dev", "rollouts.pitwall.dev")
COMMAND_SECONDS = 240


class KubectlRefusedError(Exception):
    """kubectl ended with an error; the message is what it said."""


def program() -> Path:
    """kubectl where only that is needed."""
    return binaries.found("kubectl")["kubectl"]


def new_name() -> str:
    """A name that no object of another test has."""
    return f"test-{secrets.token_hex(4)}"


def is_explained(kubectl: "Kubectl") -> bool:
    """Whether the API server describes our resources yet; it does so a moment after it accepts them."""
    described = kubectl("get", "--raw", OPENAPI, check=False)
    return all(f'"{kind.model.__name__}"' in described for kind in KINDS)


def is_ready_node(kubectl: "Kubectl", name: str) -> bool:
    """Whether pods can be placed on a node."""
    found = kubectl("get", "node", name, "-o", "json", "--ignore-not-found")
    return bool(found) and condition(json.loads(found), "Ready") == "True"


def admits_pods(kubectl: "Kubectl", namespace: str) -> bool:
    """Whether a new namespace has the service account without which the API server refuses pods."""
    return bool(kubectl("get", "serviceaccount", "default", "--ignore-not-found", namespace=namespace).strip())


@contextmanager
def uncordoned(kubectl: "Kubectl", node: str) -> Iterator[None]:
    """Lets pods be placed on a node for a while: a real node and one that pretends must not share a test's pods."""
    kubectl("uncordon", node)
    try:
        yield
    finally:
        kubectl("cordon", node)


def condition(resource: dict[str, Any], kind: str) -> str:
    """The status of one condition; Unknown where it is not told."""
    told = (resource.get("status") or {}).get("conditions") or ()
    return next((each["status"] for each in told if each["type"] == kind), "Unknown")


@dataclass(frozen=True, slots=True)
class Kubectl:
    """One program, one kubeconfig."""

    binary: Path
    kubeconfig: Path

    def __call__(
        self, *arguments: str, namespace: str | None = None, manifest: object = None, check: bool = True
    ) -> str:
        """What it prints. A manifest, one or many, goes to its standard input as YAML."""
        where = [f"--kubeconfig={self.kubeconfig}", f"--cache-dir={self.kubeconfig}.cache"]
        where += [] if namespace is None else [f"--namespace={namespace}"]
        done = subprocess.run(
            [self.binary, *where, *arguments],
            input=None if manifest is None else as_yaml(manifest),
            capture_output=True, check=False, text=True, timeout=COMMAND_SECONDS,
        )  # fmt: skip
        if check and done.returncode:
            raise KubectlRefusedError(done.stderr.strip() or done.stdout.strip())
        return done.stdout + done.stderr

    def apply(self, manifest: object, namespace: str | None = None) -> str:
        """What a person does with a file."""
        return self("apply", "-f", "-", manifest=manifest, namespace=namespace)

    def get(self, kind: str, name: str, namespace: str | None = None) -> dict[str, Any]:
        """One object."""
        found: dict[str, Any] = json.loads(self("get", kind, name, "-o", "json", namespace=namespace))
        return found

    def list(self, kind: str, namespace: str | None = None, selector: str = "") -> list[dict[str, Any]]:
        """All objects of a kind."""
        options = [f"--selector={selector}"] if selector else []
        found = json.loads(self("get", kind, "-o", "json", *options, namespace=namespace))
        items: list[dict[str, Any]] = found["items"]
        return items

    def patch_status(self, kind: str, name: str, status: dict[str, Any], namespace: str) -> str:
        """Writes part of the status, as a controller would."""
        patch = json.dumps({"status": status})
        return self("patch", kind, name, "--subresource=status", "--type=merge", "-p", patch, namespace=namespace)


def as_yaml(manifest: object) -> str:
    """One object or a list of them as a YAML stream."""
    return str(yaml.dump_all(manifest if isinstance(manifest, list | tuple) else [manifest], Dumper=yaml.CSafeDumper))

"""What `kubectl pitwall` says, and with which exit status, where a cluster does not do as asked; it never hangs."""

import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from harness import plugin as harness
from harness.plane.kube import Kubectl
from harness.plugin import Plugin

from pitwall_operator.values.errors import Exit

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("crds")]

ROLLOUT = {
    "apiVersion": "pitwall.dev/v1alpha1",
    "kind": "Rollout",
    "metadata": {"name": "sampler"},
    "spec": {
        "flag": "sampler.variant",
        "variantRef": {"name": "aks-v1"},
        "stages": [{"weightBasisPoints": 10000}],
        "analysis": {"gates": [{"name": "errors", "rate": {"metric": "Errors"}}]},
    },
}
LOOKING = [
    {"apiGroups": ["pitwall.dev"], "resources": ["rollouts", "samplervariants"], "verbs": ["get", "list"]},
]


@pytest.fixture
def nobody(kubectl: Kubectl, namespace: str, pitwall: Plugin, tmp_path: Path) -> Plugin:
    """The plugin with a service account's token that allows nothing."""
    kubectl("create", "serviceaccount", "nobody", namespace=namespace)
    token = kubectl("create", "token", "nobody", namespace=namespace).strip()
    return replace(pitwall, kubeconfig=harness.with_token(pitwall.kubeconfig, token, tmp_path / "nobody"))


@pytest.fixture
def allow(kubectl: Kubectl, namespace: str) -> Callable[[list[dict[str, Any]]], None]:
    """Gives the service account rights in the namespace."""

    def grant(rules: list[dict[str, Any]]) -> None:
        kind = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": "some"}}
        role = {**kind, "kind": "Role", "rules": rules}
        reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "some"}
        subject = {"kind": "ServiceAccount", "name": "nobody", "namespace": namespace}
        binding = {**kind, "kind": "RoleBinding", "roleRef": reference, "subjects": [subject]}
        kubectl.apply([role, binding], namespace)

    return grant


@pytest.fixture
def at(pitwall: Plugin, tmp_path: Path) -> Callable[[str], Plugin]:
    """The plugin with another server in its kubeconfig."""

    def elsewhere(server: str) -> Plugin:
        content = yaml.safe_load(pitwall.kubeconfig.read_text())
        content["clusters"][0]["cluster"]["server"] = server
        path = tmp_path / "elsewhere"
        path.write_text(yaml.safe_dump(content))
        return replace(pitwall, kubeconfig=path)

    return elsewhere


@pytest.fixture
def silent() -> Iterator[str]:
    """A server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"https://127.0.0.1:{listening.getsockname()[1]}"


def test_a_server_that_is_not_there_is_named(at: Callable[[str], Plugin]):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"https://127.0.0.1:{taken.getsockname()[1]}"

    assert f"no answer from {address}" in at(address)("status", exits=Exit.UNREACHABLE)


def test_a_server_that_is_silent_is_not_waited_for(at: Callable[[str], Plugin], silent: str):
    assert "timed out" in at(silent)("status", exits=Exit.UNREACHABLE)


def test_a_cluster_without_pitwall_is_recognized(at: Callable[[str], Plugin], pitwall: Plugin):
    server = yaml.safe_load(pitwall.kubeconfig.read_text())["clusters"][0]["cluster"]["server"]
    said = at(f"{server}/apis/apps")("status", exits=Exit.NOT_INSTALLED)

    assert "not installed in this cluster; install the Helm chart" in said


@pytest.mark.parametrize("verb", ["status", "promote", "kill", "watch"])
def test_who_may_nothing_is_told_what_is_missing(nobody: Plugin, verb: str):
    said = nobody(verb, exits=Exit.FORBIDDEN)

    assert 'cannot list resource "rollouts" in API group "pitwall.dev"' in said
    assert "ask for a role" in said


def test_who_may_look_but_not_write_sees_all_but_pods(
    kubectl: Kubectl, nobody: Plugin, allow: Callable[[list[dict[str, Any]]], None], namespace: str
):
    kubectl.apply(ROLLOUT, namespace)
    allow(LOOKING)
    seen = nobody("status")
    refused = nobody("pause", exits=Exit.FORBIDDEN)

    assert "not shown: pods is forbidden" in seen
    assert "Pending" in seen
    assert 'cannot patch resource "rollouts"' in refused


def test_a_token_that_nobody_knows_is_said(pitwall: Plugin, tmp_path: Path):
    stale = replace(pitwall, kubeconfig=harness.with_token(pitwall.kubeconfig, "stale", tmp_path / "stale"))

    assert "log in again" in stale("get", exits=Exit.FORBIDDEN)


def test_near_names_are_offered(pitwall: Plugin, kubectl: Kubectl, namespace: str):
    kubectl.apply(ROLLOUT, namespace)

    assert "did you mean sampler?" in pitwall("status", "samler", exits=Exit.NOT_FOUND)
    assert "did you mean sampler?" in pitwall("get", "rollouts", "smpler", exits=Exit.NOT_FOUND)


def test_an_empty_namespace_is_named(pitwall: Plugin, namespace: str):
    assert f"no Rollout in namespace {namespace}" in pitwall("promote", exits=Exit.NOT_FOUND)


def test_an_unknown_context_is_named_beside_the_known_ones(pitwall: Plugin):
    assert "no context 'pitwal'; did you mean pitwall?" in pitwall("--context", "pitwal", "get", exits=Exit.BAD_INPUT)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(None, "there is no kubeconfig in", id="absent"),
        pytest.param("clusters: [", "is not YAML", id="malformed"),
        pytest.param("contexts: []", "no context is current", id="without-contexts"),
        pytest.param(
            "contexts: [{name: a, context: {cluster: b, user: c}}]\ncurrent-context: a",
            "the kubeconfig cannot be used",
            id="without-the-cluster",
        ),
    ],
)
def test_a_kubeconfig_that_cannot_be_used_is_explained(
    pitwall: Plugin, tmp_path: Path, content: str | None, words: str
):
    path = tmp_path / "bad"
    if content is not None:
        path.write_text(content)

    assert words in replace(pitwall, kubeconfig=path)("get", exits=Exit.BAD_INPUT)


def test_what_the_schema_forbids_is_said_by_the_server(pitwall: Plugin):
    for name, flag in (("first", "one"), ("second", "another")):
        changed = {**ROLLOUT, "spec": {**ROLLOUT["spec"], "flag": flag}}
        (pitwall.folder / f"{name}.yaml").write_text(yaml.safe_dump(changed))
    pitwall("apply", "-f", "first.yaml")

    assert "flag must not change" in pitwall("apply", "-f", "second.yaml", exits=Exit.BAD_INPUT)


def test_fields_of_others_are_not_taken(pitwall: Plugin, kubectl: Kubectl, namespace: str):
    kubectl.apply(ROLLOUT, namespace)
    other = {**ROLLOUT, "spec": {**ROLLOUT["spec"], "variantRef": {"name": "dpp-v1"}}}
    (pitwall.folder / "other.yaml").write_text(yaml.safe_dump(other))

    said = pitwall("apply", "-f", "other.yaml", exits=Exit.CONFLICT)

    assert 'conflict with "kubectl-client-side-apply"' in said
    assert "change them with the tool that they belong to" in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(("variant", "v"), "Sampler: give it as an option", id="nothing-to-ask-on"),
        pytest.param(("variant", "V", "--sampler", "aks"), "lower-case letters", id="bad-name"),
        pytest.param(("variant", "v", "--sampler", "aks", "--parameter", "p"), "NAME=VALUE", id="bad-parameter"),
        pytest.param(("variant", "v", "--sampler", "aks", "--max-frames", "9999"), "at most 1024", id="too-many"),
        pytest.param(("rollout", "r", "--variant", "v", "--weights", "half"), "percentage", id="bad-weight"),
        pytest.param(("rollout", "r", "--variant", "v", "--weights", "10,5"), "must climb", id="falling-weights"),
        pytest.param(("rollout", "r", "--variant", "v", "--gates", "speed=1"), "is unknown; known are", id="bad-gate"),
        pytest.param(("rollout", "r", "--variant", "v", "--gates", "errors=x"), "whole number", id="bad-margin"),
    ],
)
def test_the_wizard_says_what_it_cannot_use(pitwall: Plugin, arguments: tuple[str, ...], words: str):
    assert words in pitwall("create", *arguments, exits=Exit.BAD_INPUT)

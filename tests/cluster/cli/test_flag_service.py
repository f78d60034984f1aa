"""`kubectl pitwall kill` and `record`: the flag service of a cluster, reached from outside."""

import asyncio
import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from harness import plugin as harness
from harness.nodes.images import RUNTIME_IMAGE, host_mounts
from harness.plane.kube import Kubectl
from harness.plugin import Plugin

from pitwall_crds.names import Arm
from pitwall_flags.client import FlagClient, FlagRecord
from pitwall_flags.flag.document import ArmShare, split_document
from pitwall_flags.service.auth import VARIABLES, TokenScope
from pitwall_operator.cli.sources.api import Api
from pitwall_operator.cli.sources.forward import LABELED, SECRET, SERVICE, flag_service
from pitwall_operator.cli.sources.kubeconfig import ClusterTarget
from pitwall_operator.values.errors import Exit

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("crds"), pytest.mark.timeout(600)]

FLAG = "sampler.variant"
TOKENS = {scope: f"a-token-for-tests-{scope}" for scope in TokenScope}
LABELS = dict(pair.split("=") for pair in LABELED["labelSelector"].split(","))
LINES = [{"kind": "run", "run": "r1"}, {"kind": "block", "run": "r1", "after": ""}]
ROLLOUT = {
    "apiVersion": "pitwall.dev/v1alpha1",
    "kind": "Rollout",
    "metadata": {"name": "sampler"},
    "spec": {
        "flag": FLAG,
        "variantRef": {"name": "aks-v1"},
        "stages": [{"weightBasisPoints": 10000}],
        "analysis": {"gates": [{"name": "errors", "rate": {"metric": "Errors"}}]},
    },
}
SECRET_OBJECT = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": SECRET},
    "data": {scope.value: base64.b64encode(token.encode()).decode() for scope, token in TOKENS.items()},
}
SERVICE_OBJECT = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": SERVICE, "labels": LABELS},
    "spec": {"selector": LABELS, "ports": [{"name": "http", "port": 8016, "targetPort": "http"}]},
}


def deployment() -> dict[str, Any]:
    volumes, mounts = host_mounts()
    container = {
        "name": "flags",
        "image": RUNTIME_IMAGE,
        "command": ["python", "-m", "pitwall_flags.service", "--host=0.0.0.0",
                    "--database=sqlite+aiosqlite:////tmp/flags.db"],
        "env": [{"name": VARIABLES[scope], "valueFrom": {"secretKeyRef": {"name": SECRET, "key": scope.value}}}
                for scope in TokenScope],
        "ports": [{"name": "http", "containerPort": 8016}],
        "readinessProbe": {"httpGet": {"path": "/readyz", "port": "http"}, "periodSeconds": 1},
        "volumeMounts": mounts,
    }  # fmt: skip
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": SERVICE},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": LABELS},
            "template": {"metadata": {"labels": LABELS}, "spec": {"containers": [container], "volumes": volumes}},
        },
    }


@pytest.fixture
def pitwall(pitwall: Plugin, kubectl: Kubectl, namespace: str) -> Plugin:
    """The administrator's plugin, beside a Rollout."""
    kubectl.apply(ROLLOUT, namespace)
    return pitwall


@pytest.fixture
def service(kubectl: Kubectl, namespace: str) -> Iterator[str]:
    """The Service and the Secret; nothing serves yet. They are gone before the next test looks for one of its own."""
    kubectl.apply([SERVICE_OBJECT, SECRET_OBJECT], namespace)
    yield f"{namespace}/{SERVICE}"
    kubectl("delete", "service", SERVICE, namespace=namespace)


def test_a_cluster_without_flag_service_is_named(pitwall: Plugin):
    assert "should have one flag service and has 0 (none)" in pitwall("kill", exits=Exit.NOT_INSTALLED)


def test_a_service_without_pods_is_not_waited_for(pitwall: Plugin, service: str):
    assert "the flag service cannot be reached" in pitwall("kill", exits=Exit.UNREACHABLE)


def test_a_missing_secret_is_named(pitwall: Plugin, kubectl: Kubectl, service: str, namespace: str):
    kubectl("delete", "secret", SECRET, namespace=namespace)

    assert f'secrets "{SECRET}" not found' in pitwall("kill", "--flags", service, exits=Exit.NOT_FOUND)


def test_who_may_not_read_the_token_is_told_so(
    pitwall: Plugin, kubectl: Kubectl, service: str, namespace: str, tmp_path: Path
):
    kubectl("create", "serviceaccount", "viewer", namespace=namespace)
    kubectl("create", "role", "look", "--verb=list", "--resource=rollouts.pitwall.dev", namespace=namespace)
    kubectl("create", "rolebinding", "look", "--role=look", f"--serviceaccount={namespace}:viewer", namespace=namespace)
    token = kubectl("create", "token", "viewer", namespace=namespace).strip()
    viewer = replace(pitwall, kubeconfig=harness.with_token(pitwall.kubeconfig, token, tmp_path / "viewer"))

    assert "or name it by --flags" in viewer("kill", exits=Exit.FORBIDDEN)
    assert 'cannot get resource "secrets"' in viewer("kill", "--flags", service, exits=Exit.FORBIDDEN)


def test_a_url_needs_its_token(pitwall: Plugin):
    assert VARIABLES[TokenScope.KILL] in pitwall("kill", "--flags", "http://127.0.0.1:1", exits=Exit.BAD_INPUT)


def test_a_url_that_does_not_answer_is_named(pitwall: Plugin):
    named = replace(pitwall, variables={VARIABLES[TokenScope.KILL]: TOKENS[TokenScope.KILL]})

    assert "is the flag service up?" in named("kill", "--flags", "http://127.0.0.1:1", exits=Exit.UNREACHABLE)


def test_kill_release_and_record_go_through_to_the_pod(
    pitwall: Plugin, kubectl: Kubectl, service: str, namespace: str, node: object
):
    kubectl.apply(deployment(), namespace)
    kubectl("wait", "--for=condition=Available", "--timeout=50s", f"deployment/{SERVICE}", namespace=namespace)
    asyncio.run(_fill(pitwall, namespace))
    killed = json.loads(pitwall("kill", "--reason", "films are black", "-o", "json"))
    recorded = [json.loads(line) for line in pitwall("record").splitlines()]

    assert killed["killed"] is True
    assert asyncio.run(_flag(pitwall)).killed is True
    assert "what was killed stays off" in pitwall("release")
    assert asyncio.run(_flag(pitwall)).killed is False
    assert recorded == LINES


async def _fill(pitwall: Plugin, namespace: str) -> None:
    """A flag and a record, as the operator writes them."""
    document = split_document([ArmShare(Arm.STABLE, "uniform-v1", 10_000)], salt="s")
    with flag_service(Api.open(ClusterTarget(pitwall.kubeconfig))[0], _options(pitwall), TokenScope.WRITE, None) as (
        url,
        token,
    ):
        client = FlagClient(url, token=token)
        await client.put(FLAG, document, expected_version=None, actor="operator", reason="test")
        await client.append_journal(namespace, "sampler", LINES)
        await client.close()


async def _flag(pitwall: Plugin) -> FlagRecord:
    with flag_service(Api.open(ClusterTarget(pitwall.kubeconfig))[0], _options(pitwall), TokenScope.WRITE, None) as (
        url,
        token,
    ):
        client = FlagClient(url, token=token)
        found = await client.get(FLAG)
        await client.close()
    assert found is not None
    return found


def _options(pitwall: Plugin) -> list[str]:
    return [f"--kubeconfig={pitwall.kubeconfig}"]

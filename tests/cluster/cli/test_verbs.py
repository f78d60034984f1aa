"""`kubectl pitwall` on a real API server: what each verb shows and writes."""

import json
import subprocess
from typing import Any

import pytest
from harness.plane.control_plane import ControlPlane
from harness.plane.kube import Kubectl, new_name
from harness.plugin import Plugin
from harness.processes import until
from harness.rollouts.told import CANARY, FLAGGED_OFF, START, rollout

from pitwall_operator.cli.sources.cluster import ATTEMPTS, Cluster
from pitwall_operator.cli.sources.kubeconfig import ClusterTarget
from pitwall_operator.values.errors import CommandError, Exit

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("crds")]


def spec_of(kubectl: Kubectl, namespace: str, name: str = "sampler") -> dict[str, Any]:
    spec: dict[str, Any] = kubectl.get("rollout", name, namespace)["spec"]
    return spec


def test_kubectl_finds_the_plugin(pitwall: Plugin):
    listed = pitwall.run(str(pitwall.kubectl), "plugin", "list")

    assert str(pitwall.programs / "kubectl-pitwall") in listed.stdout
    assert "Usage: kubectl pitwall" in pitwall.run(str(pitwall.kubectl), "pitwall", "--help").stdout


def test_status_is_a_tree_of_what_is_known_and_what_is_missing(pitwall: Plugin, moving: str, namespace: str):
    text = pitwall("status")

    for words in (
        f"{namespace}/sampler  Canary  aks-v1 is to replace uniform-v1, by flag flag.sampler",
        "3 of 4: 10%",
        "at most 3600 s, then Hold; needs a person's `promote`",
        "candidate     10%  aks-v1",
        "stable        80%  uniform-v1",
        "latency-p90  Inconclusive",
        "harm e=1.1 of 493, non-inferiority e=3.2 of 20",
        "about 1400 more trials are missing",
        "Ready  False  Canary",
        "Measured  Unknown  Silent: why",
    ):
        assert words in text


def test_status_tells_a_stale_and_an_unseen_rollout_from_a_known_one(pitwall: Plugin, kubectl: Kubectl, namespace: str):
    kubectl.apply([rollout("old"), rollout("unseen"), rollout("off")], namespace)
    kubectl.patch_status("rollout", "old", CANARY, namespace)
    kubectl("patch", "rollout", "old", "--type=merge", "-p", '{"spec":{"paused":true}}', namespace=namespace)
    kubectl.patch_status("rollout", "off", FLAGGED_OFF, namespace)
    text = pitwall("status")

    assert "Canary (paused)" in " ".join(text.split())
    assert "stale: the operator has not yet seen the newest spec" in text
    assert "none yet: no operator has looked at this Rollout" in text
    assert "aks-v1 (revision abc) by latency-p90" in text


def test_status_names_pods_that_do_not_answer(pitwall: Plugin, kubectl: Kubectl, moving: str, namespace: str):
    labels = {"app.kubernetes.io/managed-by": "pitwall", "pitwall.dev/variant": "aks-v1", "pitwall.dev/pool": "main"}
    pod = {"containers": [{"name": "runtime", "image": "nowhere/pitwall:0"}], "nodeSelector": {"no": "node"}}
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "aks-v1", "labels": {**labels, "pitwall.dev/revision": "r7"}},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }
    kubectl.apply(deployment, namespace)
    until(lambda: pitwall("status").count("Unschedulable") == 2, what="both pods' reason", every=1)
    data = json.loads(pitwall("status", "sampler", "-o", "json"))

    assert "aks-v1  main  0/2 ready  revision r7" in pitwall("status")
    assert [(pool["pool"], pool["desired"], len(pool["pods"])) for pool in data["pools"]] == [("main", 2, 2)]
    assert data["status"]["phase"] == "Canary"


def test_namespaces_are_told_apart(pitwall: Plugin, kubectl: Kubectl, moving: str, namespace: str):
    other = new_name()
    kubectl("create", "namespace", other)
    kubectl.apply(rollout("elsewhere"), other)
    try:
        named, everywhere = pitwall("-n", other, "get"), pitwall("get", "rollouts", "-A")
        trees = json.loads(pitwall("status", "-A", "-o", "json"))
    finally:
        kubectl("delete", "namespace", other, "--wait=false")

    assert "elsewhere" in named
    assert "sampler" not in named
    assert {line.split()[0] for line in everywhere.splitlines() if line.strip()} >= {"NAMESPACE", namespace, other}
    assert {(tree["namespace"], tree["name"]) for tree in trees} >= {(namespace, "sampler"), (other, "elsewhere")}


def test_explain_and_history_tell_the_story(pitwall: Plugin, moving: str):
    told, lines = pitwall("explain"), pitwall("history")

    assert "aks-v1 is on its way to replace uniform-v1: stage 10%." in told
    assert "kubectl pitwall record sampler" in told
    assert f"{START}  StageEntered: 10% of the traffic" in lines
    assert [entry["reason"] for entry in json.loads(pitwall("history", "-o", "json"))] == ["StageEntered"]


@pytest.mark.parametrize("verb", ["promote", "abort"])
def test_an_action_is_written_once_with_id_and_actor(
    pitwall: Plugin, kubectl: Kubectl, moving: str, namespace: str, verb: str
):
    said = pitwall(verb, "--id", "the-id")
    found = kubectl.get("rollout", "sampler", namespace)

    assert "id the-id" in said
    told = {"id": "the-id", "verb": verb.capitalize(), "actor": "admin"}
    assert found["spec"]["action"] == {**told, "full": False, "overBasisPoints": [], "reason": ""}
    assert found["status"]["phase"] == "Canary"


def test_retry_is_for_what_is_off_and_promote_for_what_moves(
    pitwall: Plugin, kubectl: Kubectl, moving: str, namespace: str
):
    on_its_way = pitwall("retry", exits=Exit.FAILED)
    kubectl.patch_status("rollout", "sampler", {**FLAGGED_OFF, "candidateVariant": ""}, namespace)
    nothing_moves = pitwall("promote", exits=Exit.FAILED)
    pitwall("retry")

    assert "only a variant that is off can be retried" in on_its_way
    assert "has no candidate to promote" in nothing_moves
    assert spec_of(kubectl, namespace)["action"]["verb"] == "Retry"


def test_the_same_file_again_takes_back_neither_action_nor_pause(
    pitwall: Plugin, kubectl: Kubectl, moving: str, namespace: str
):
    pitwall("promote")
    pitwall("pause")
    before = spec_of(kubectl, namespace)
    applied = kubectl.apply(rollout("sampler"), namespace)
    server_side = kubectl(
        "apply", "--server-side", "--field-manager=gitops", "--force-conflicts", "-f", "-",
        manifest=rollout("sampler"), namespace=namespace,
    )  # fmt: skip
    managers = kubectl("get", "rollout", "sampler", "-o", "json", "--show-managed-fields", namespace=namespace)
    owners = {entry["manager"]: entry["fieldsV1"] for entry in json.loads(managers)["metadata"]["managedFields"]}

    assert "unchanged" in applied
    assert "serverside-applied" in server_side
    assert spec_of(kubectl, namespace) == before
    assert before["paused"] is True
    assert {"f:action", "f:paused"} <= set(owners["pitwall-cli"]["f:spec"])


def test_resume_undoes_pause(pitwall: Plugin, kubectl: Kubectl, moving: str, namespace: str):
    pitwall("pause")
    told = json.loads(pitwall("resume", "-o", "json"))

    assert spec_of(kubectl, namespace)["paused"] is told["paused"] is False


def test_a_change_is_worked_out_anew_when_somebody_was_faster(
    pitwall: Plugin, kubectl: Kubectl, moving: str, namespace: str
):
    cluster = Cluster.open(ClusterTarget(kubeconfig=pitwall.kubeconfig))
    seen = []

    def change(current: Any) -> dict[str, Any]:
        if not seen:
            kubectl(
                "patch", "rollout", "sampler", "--type=merge", "-p", '{"spec":{"paused":true}}', namespace=namespace
            )
        seen.append(current.spec.paused)
        return {"action": {"id": "1", "verb": "Promote"}}

    cluster.edit(cluster.rollouts()[0], change)

    assert seen == [False, True]
    assert spec_of(kubectl, namespace)["paused"] is True
    assert spec_of(kubectl, namespace)["action"]["id"] == "1"


def test_a_change_that_is_always_overtaken_is_given_up(pitwall: Plugin, kubectl: Kubectl, moving: str, namespace: str):
    cluster = Cluster.open(ClusterTarget(kubeconfig=pitwall.kubeconfig))
    numbers = iter(range(100))

    def change(_: Any) -> dict[str, Any]:
        kubectl("annotate", "--overwrite", "rollout", "sampler", f"n={next(numbers)}", namespace=namespace)
        return {"paused": True}

    with pytest.raises(CommandError, match="nothing was written") as trouble:
        cluster.edit(cluster.rollouts()[0], change)

    assert trouble.value.code is Exit.CONFLICT
    assert next(numbers) == ATTEMPTS
    assert not spec_of(kubectl, namespace).get("paused")


def test_watch_tells_every_change_also_after_the_api_server_was_away(
    pitwall: Plugin, kubectl: Kubectl, moving: str, namespace: str, control_plane: ControlPlane
):
    command = [str(pitwall.kubectl), "pitwall", "watch", "-o", "json", "--seconds", "0.2"]
    watching = subprocess.Popen(
        command, env=pitwall.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert watching.stdout is not None
    try:
        first = json.loads(watching.stdout.readline())
        control_plane.restart_apiserver()
        kubectl.patch_status("rollout", "sampler", FLAGGED_OFF, namespace)
        second = json.loads(watching.stdout.readline())
    finally:
        watching.kill()
        watching.communicate()

    assert [line["status"]["phase"] for line in (first, second)] == ["Canary", "FlaggedOff"]

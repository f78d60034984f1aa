"""What a rollout does on a real Kubernetes, each begun by `kubectl apply` of an example file."""

import time
from typing import Any

import pytest
from harness import binaries
from harness.plane.control_plane import ControlPlane
from harness.plane.kube import Kubectl
from harness.processes import until
from harness.rollouts import examples, world
from harness.rollouts.scenario import CANARY, Scenario
from harness.rollouts.world import Operator

from pitwall_crds.names import FULL_WEIGHT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

BAKING = FULL_WEIGHT - 500
"""The candidate's share while a control stays in the bake."""
MANY = 500.0
"""Questions a second that prove a stage within seconds."""
QUIET_SECONDS = 6.0


def test_a_better_variant_is_promoted(scenario: Scenario):
    scenario.start()

    scenario.apply("rollout-aks.yaml")
    scenario.await_phase("Stable", variant="aks-v1")

    scenario.await_split({"aks-v1": FULL_WEIGHT})
    scenario.kubectl("wait", "--for=condition=Ready", "rollout/sampler", "--timeout=60s", namespace=scenario.namespace)
    weights = [split.get("aks-v1", 0) for split in scenario.flags.history(scenario.flag)]
    assert weights == sorted(weights)
    assert set(weights) - {BAKING} == {0, 1000, 5000, FULL_WEIGHT}
    assert [line["kind"] for line in scenario.journal()].count("run") == 1
    until(lambda: set(scenario.deployments()) == {"aks-v1"}, what="the old pods' end")


def test_a_regressed_variant_is_flagged_off_and_stays_off_until_a_retry(scenario: Scenario):
    scenario.start()
    scenario.load.behave("dpp-v1", seconds=5.0)

    scenario.apply("rollout-dpp.yaml", spec__scaleDownDelaySeconds=1)
    scenario.await_phase("FlaggedOff", variant="uniform-v1")
    off = scenario.status()
    told = scenario.kubectl("get", "samplervariant", "dpp-v1", "-o", "wide", namespace=scenario.namespace)
    until(lambda: set(scenario.deployments()) == {"uniform-v1"}, what="the regressed pods' end")

    scenario.await_split({"uniform-v1": FULL_WEIGHT})
    assert off["flaggedOff"][0]["gate"] == "latency-p90"
    assert "latency-p90 harmful" in told
    assert scenario.apply("rollout-dpp.yaml", spec__scaleDownDelaySeconds=1).count("unchanged") == 4
    assert scenario.status()["phase"] == "FlaggedOff"

    scenario.load.behave("dpp-v1", seconds=0.5)
    scenario.ask("Retry", actor="sre@example.org")
    scenario.await_phase("Stable", variant="dpp-v1")
    assert any("sre@example.org" in entry["message"] for entry in scenario.status()["history"])


def test_nothing_proven_by_the_deadline_holds(scenario: Scenario):
    scenario.start_canary(stages=[CANARY[0] | {"maxSeconds": 4}, CANARY[1]])

    scenario.await_status(
        lambda status: status["verdict"] == "Inconclusive" and "deadline of 4 s passed" in status["reason"],
        "a passed deadline without proof",
    )

    assert scenario.split() == {"aks-v1": 2000, "uniform-v1": 8000}
    assert scenario.condition("Progressing") == "True"


def test_an_outage_of_prometheus_is_unmeasured_and_moves_nothing(scenario: Scenario):
    scenario.start_canary()
    split = scenario.split()
    scenario.await_status(lambda status: status["verdict"] == "Inconclusive", "a first measurement")

    scenario.prometheus.process.pause()
    try:
        scenario.load.behave(rate=MANY)
        scenario.await_status(lambda status: status["verdict"] == "Unmeasured", "Unmeasured")
        assert scenario.condition("Measured") == "False"
        assert scenario.split() == split
    finally:
        scenario.prometheus.process.resume()

    scenario.await_phase("Stable", variant="aks-v1")


def test_applying_the_same_file_again_changes_nothing(scenario: Scenario):
    scenario.start()
    until(lambda: scenario.condition("Ready") == "True", what="Ready")
    before, since = scenario.rollout()["metadata"], scenario.await_rest()

    told = scenario.apply("rollout.yaml")
    time.sleep(QUIET_SECONDS)

    after = scenario.rollout()["metadata"]
    assert told.count("unchanged") == len(told.splitlines())
    assert (after["generation"], after["resourceVersion"]) == (before["generation"], before["resourceVersion"])
    assert scenario.writes(since) == []


def test_an_edited_candidate_begins_anew(scenario: Scenario):
    scenario.start_canary()
    first = scenario.status()

    scenario.patch("samplervariant", "aks-v1", {"spec": {"maxFrames": 9}})
    scenario.await_status(lambda status: status["candidateRevision"] != first["candidateRevision"], "another revision")
    again = scenario.status()
    scenario.load.behave(rate=MANY)
    scenario.await_phase("Stable", variant="aks-v1")

    assert again["runId"] != first["runId"]
    assert scenario.status()["stableRevision"] == again["candidateRevision"]
    [pod] = scenario.kubectl.list("deployments", scenario.namespace, "pitwall.dev/variant=aks-v1,pitwall.dev/pool=main")
    assert pod["metadata"]["labels"]["pitwall.dev/revision"] == again["candidateRevision"]


def test_a_deleted_candidate_gives_everybody_back_to_the_stable_one(scenario: Scenario):
    scenario.start_canary()

    scenario.kubectl("delete", "samplervariant", "aks-v1", namespace=scenario.namespace)

    scenario.await_split({"uniform-v1": FULL_WEIGHT})
    until(lambda: set(scenario.deployments()) == {"uniform-v1"}, what="the candidate's pods' end")
    assert scenario.status()["stableVariant"] == "uniform-v1"


def test_a_second_rollout_on_the_same_flag_is_refused_and_does_nothing(scenario: Scenario):
    scenario.start()
    before = scenario.flags.history(scenario.flag)
    second = examples.edited(examples.rollout("rollout-dpp.yaml", scenario.flag), "metadata.name", "second")

    scenario.kubectl.apply(second, scenario.namespace)

    def refusal() -> dict[str, Any]:
        told = scenario.kubectl.get("rollout", "second", scenario.namespace).get("status", {}).get("conditions", ())
        return next((each for each in told if each["type"] == "Ready"), {})

    until(lambda: refusal().get("reason") == "InvalidSpec", what="a refusal")
    assert f"already moved by Rollout {scenario.namespace}/sampler" in refusal()["message"]
    assert scenario.flags.history(scenario.flag) == before
    assert set(scenario.deployments()) == {"uniform-v1"}


def test_an_experiment_only_gets_copies(scenario: Scenario):
    scenario.start()
    shadowed = [{"variantRef": {"name": "dpp-v1"}, "shadow": {"percent": 20}}]

    scenario.apply("rollout.yaml", spec__experiments=shadowed)
    flag = f"{scenario.flag}.experiment.dpp-v1"
    until(lambda: scenario.flags.split(flag).get("dpp-v1") == 2000, what="copies")

    assert scenario.split() == {"uniform-v1": FULL_WEIGHT}
    assert any(name.startswith("dpp-v1") for name in scenario.deployments())
    scenario.apply("rollout.yaml")
    until(lambda: not scenario.flags.split(flag).get("dpp-v1"), what="the copies' end")


def test_a_deleted_namespace_leaves_the_flag_with_the_stable_variant(
    scenario: Scenario, control_plane: ControlPlane, kubectl: Kubectl
):
    world.grant(kubectl, binaries.found("helm")["helm"], world.LEASE_NAMESPACE, cluster_wide=True)
    own = scenario.operator
    scenario.operator = Operator(
        control_plane, own.flags, own.prometheus, own.namespace, own.folder, "cluster-wide", cluster_wide=True
    )
    scenario.replicas.append(scenario.operator)
    scenario.start_canary()

    kubectl("delete", "namespace", scenario.namespace, "--wait=false")

    until(lambda: scenario.split() == {"uniform-v1": FULL_WEIGHT}, what="the way back")
    until(
        lambda: "NotFound" in kubectl("get", "namespace", scenario.namespace, check=False),
        what="the namespace's end",
    )  # fmt: skip

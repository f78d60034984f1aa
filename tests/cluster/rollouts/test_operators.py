"""Several operators in one cluster: each has its own Rollouts, and where two want the same, people are told."""

from datetime import UTC, datetime
from typing import Any

import pytest
from harness import binaries
from harness.plane.control_plane import ControlPlane
from harness.processes import until
from harness.rollouts import world
from harness.rollouts.scenario import Scenario
from harness.rollouts.world import Operator

from pitwall_operator.kube.namespace_claims import RENEW_SECONDS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
CLAIMS_NAMESPACE = "kube-system"
NOTICED = 6 * RENEW_SECONDS


def another(scenario: Scenario, plane: ControlPlane, name: str, instance: str = "", **changes: Any) -> Operator:
    """One more operator beside the scenario's own, of another release."""
    own, helm = scenario.operator, binaries.found("helm")["helm"]
    wide = changes.get("cluster_wide", False)
    home = world.LEASE_NAMESPACE if wide else scenario.namespace
    world.grant(scenario.kubectl, helm, home, cluster_wide=wide, name=name, instance=instance)
    options = (f"--lease-name={name}-operator", f"--instance={instance}")
    made = Operator(plane, own.flags, own.prometheus, own.namespace, own.folder, name, options=options, **changes)
    scenario.replicas.append(made)
    return made.start().await_ready()


def a_claim(name: str) -> dict[str, Any]:
    """A Lease that says that somebody else has the whole cluster."""
    head = {
        "name": name, "labels": {"pitwall.dev/claim": "default"}, "annotations": {"pitwall.dev/scope": "cluster"},
    }  # fmt: skip
    now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    spec = {"holderIdentity": "elsewhere/me", "leaseDurationSeconds": 3600, "renewTime": now}
    return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": head, "spec": spec}


def acted_as(scenario: Scenario, operator: Operator) -> bool:
    """Whether an operator decides on the scenario's Rollout: it tells its verdict then."""
    told = world.ask(f"http://127.0.0.1:{operator.port}/metrics").text
    return f'pitwall_rollout_phase{{phase="Stable",rollout="sampler",rollout_namespace="{scenario.namespace}"}}' in told


@pytest.mark.soak
def test_an_operator_of_the_cluster_keeps_out_of_a_namespace_that_has_one(
    scenario: Scenario, control_plane: ControlPlane
):
    wide = another(scenario, control_plane, "wide", cluster_wide=True)
    scenario.apply("rollout.yaml")
    until(lambda: acted_as(scenario, wide), what="the operator of the cluster at work")

    scenario.start()
    scenario.operator.await_ready()
    until(lambda: acted_as(scenario, scenario.operator), what="the namespace's own operator at work")
    until(lambda: not acted_as(scenario, wide), seconds=NOTICED, what="the operator of the cluster to keep out")
    assert scenario.condition("Contested") == "Unknown", "the two are apart"

    scenario.operator.process.stop()
    until(lambda: acted_as(scenario, wide), seconds=2 * NOTICED, what="the operator of the cluster at work again")


def test_a_tenants_lease_keeps_no_operator_from_the_cluster(scenario: Scenario, control_plane: ControlPlane):
    """The Lease says that it is of the whole cluster, and is older than the operator's own."""
    names = ("pitwall-claim-default-everywhere", "mine")
    for name in names:
        scenario.kubectl.apply(a_claim(name), scenario.namespace)
    wide = another(scenario, control_plane, "wide", cluster_wide=True)
    scenario.apply("rollout.yaml")

    until(lambda: acted_as(scenario, wide), what="the operator of the cluster at work")
    told = scenario.kubectl.get("lease", names[0], CLAIMS_NAMESPACE)
    assert told["spec"]["holderIdentity"] == f"{world.LEASE_NAMESPACE}/wide-operator"


@pytest.mark.soak
def test_of_two_operators_of_one_namespace_the_second_does_nothing_and_the_first_tells_of_it(
    scenario: Scenario, control_plane: ControlPlane
):
    scenario.start()
    second = another(scenario, control_plane, "second")

    until(
        lambda: scenario.condition("Contested") == "True", seconds=NOTICED, what="a condition that tells of the other"
    )
    [told] = [one for one in scenario.status()["conditions"] if one["type"] == "Contested"]
    assert f"operator {scenario.namespace}/second-operator watches this namespace too" in told["message"]
    assert not acted_as(scenario, second)

    second.process.stop()
    until(
        lambda: scenario.condition("Contested") == "Unknown",
        seconds=2 * NOTICED,
        what="an end of the condition's cause",
    )


def test_an_instance_takes_what_is_labelled_for_it_alone(scenario: Scenario, control_plane: ControlPlane):
    scenario.start()
    blue = another(scenario, control_plane, "blue", "blue")

    scenario.kubectl("label", "rollout", "sampler", "pitwall.dev/instance=blue", namespace=scenario.namespace)
    scenario.operator.await_ready()

    until(lambda: acted_as(scenario, blue), what="the instance at work")
    until(lambda: not acted_as(scenario, scenario.operator), what="the other operator's end of it")

"""A rollout arrives where it should, whatever breaks on the way; nobody is sent to a variant that is off."""

import copy
import time
from typing import Any

import httpx
import pytest
from harness.plane.control_plane import ControlPlane
from harness.processes import until
from harness.rollouts.scenario import Scenario
from harness.rollouts.world import Operator

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

MANY = 500.0
LEASE_SECONDS = 12
"""Another replica waits for so long at least, and on a quiet machine a second or two longer."""
OUTAGE_SECONDS = 6.0
LONG_OUTAGE_SECONDS = 8.0
"""Longer than a holder of the lease may act without renewing it."""


def test_the_api_server_is_away_and_restarts_on_the_way(scenario: Scenario, control_plane: ControlPlane):
    """Every connection is cut and refused, and every watch begins at another server."""
    scenario.start_canary()
    before = scenario.split()

    control_plane.stop_apiserver()
    try:
        scenario.load.behave(rate=MANY)
        time.sleep(LONG_OUTAGE_SECONDS)
        assert scenario.split() == before
    finally:
        control_plane.apiserver.start()
        control_plane.await_ready()

    scenario.assert_promoted_once()
    scenario.assert_weight_only_grew()


@pytest.mark.soak
def test_etcd_stands_still_on_the_way(scenario: Scenario, control_plane: ControlPlane):
    scenario.start_canary()

    control_plane.etcd.pause()
    try:
        time.sleep(OUTAGE_SECONDS)
    finally:
        control_plane.etcd.resume()
    scenario.load.behave(rate=MANY)

    scenario.assert_promoted_once()
    scenario.assert_weight_only_grew()


def test_the_flag_service_is_away_on_the_way(scenario: Scenario):
    scenario.start_canary()
    before = scenario.split()

    scenario.flags.process.kill()
    scenario.load.behave(rate=MANY)
    try:
        scenario.await_status(lambda status: "is the flag service up?" in status["reason"], "a word about the flags")
    finally:
        scenario.flags.start()

    assert scenario.flags.history(scenario.flag)[-1] == before
    scenario.assert_promoted_once()
    scenario.assert_weight_only_grew()


def test_another_writer_of_the_flag_and_of_the_pods_is_corrected(scenario: Scenario):
    scenario.start_canary()
    split = scenario.split()
    found = httpx.get(f"{scenario.flags.url}/v1/flags/{scenario.flag}", trust_env=False).json()
    document = copy.deepcopy(found["document"])
    targeting = document["targeting"]["if"][1]["fractional"]
    targeting[1][1], targeting[-1][1] = targeting[-1][1], targeting[1][1]

    written = httpx.put(
        f"{scenario.flags.url}/v1/flags/{scenario.flag}", trust_env=False,
        json={"document": document, "actor": "somebody", "reason": "by hand"},
        headers={"If-Match": f'"{found["version"]}"'},
    )  # fmt: skip
    assert written.status_code == 200, written.text
    scenario.kubectl("scale", "deployment/uniform-v1", "--replicas=0", namespace=scenario.namespace)
    scenario.kubectl("delete", "deployment", "aks-v1", namespace=scenario.namespace)

    until(lambda: scenario.split() == split, what="the split as it was")
    until(lambda: scenario.deployments().get("uniform-v1") == 1, what="the pods as they were")
    until(lambda: "aks-v1" in scenario.deployments(), what="the deleted pods")


def test_another_replica_takes_over_once_the_lease_has_run_out(scenario: Scenario, control_plane: ControlPlane):
    scenario.start_canary()
    first = scenario.operator
    second = Operator(control_plane, first.flags, first.prometheus, first.namespace, first.folder, "second")
    scenario.replicas.append(second.start().await_ready())

    first.process.kill()
    scenario.load.behave(rate=MANY)
    until(lambda: lease(scenario)["holderIdentity"] == "second", what="the second replica's lease")
    assert lease(scenario)["leaseDurationSeconds"] == LEASE_SECONDS

    scenario.operator = second
    scenario.assert_promoted_once()
    scenario.assert_weight_only_grew()


def lease(scenario: Scenario) -> dict[str, Any]:
    found: dict[str, Any] = scenario.kubectl.get("lease", "pitwall-operator", scenario.namespace)["spec"]
    return found

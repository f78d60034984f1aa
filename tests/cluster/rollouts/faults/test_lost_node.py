"""A node is lost under a candidate: Kubernetes says so after 50 s, and by then nothing must have been proven."""

import time

import pytest
from harness.processes import Process, until
from harness.rollouts.scenario import FEW, Scenario

pytestmark = [pytest.mark.slow, pytest.mark.soak, pytest.mark.timeout(420)]
GATES = [{"name": "errors", "rate": {"metric": "Errors"}, "absoluteMarginBasisPoints": 1000, "dependence": "Query"}]
LONG = [{"weightBasisPoints": 2000, "minSeconds": 9999}, {"weightBasisPoints": 10_000}]
GRACE_SECONDS = 60.0
"""More than Kubernetes takes to call a node lost."""
ON_THE_DOOMED_NODE = {
    "nodeSelector": {"pitwall-test": "doomed"},
    "tolerations": [{"key": "pitwall-test", "operator": "Exists"}],
}


def begin(scenario: Scenario) -> None:
    """A canary whose pods are on the doomed node, and which does as well as stable."""
    scenario.start()
    scenario.load.behave(rate=FEW)
    scenario.apply("rollout-aks.yaml", spec__stages=LONG, spec__analysis={"blockSeconds": 2, "gates": GATES})
    template = {"spec": {"runtime": {"template": {"spec": ON_THE_DOOMED_NODE}}}}
    scenario.patch("samplervariant", "aks-v1", template)
    scenario.await_share("aks-v1", 2000)


def test_a_candidate_on_a_node_that_is_lost_is_not_flagged_off_before_nor_after_kubernetes_knows(
    scenario: Scenario, doomed: Process
):
    begin(scenario)
    doomed.kill()
    lost = time.monotonic()
    scenario.load.behave("aks-v1", errors=1.0, silent=1)

    scenario.await_status(lambda status: "not even a machine answered" in status["reason"], "a block that is held")
    scenario.await_status(
        lambda status: "is on a node that does not answer" in status["reason"], "Kubernetes' word", 3 * GRACE_SECONDS
    )
    known = time.monotonic() - lost
    until(lambda: time.monotonic() - lost > known + 20, what="blocks after it")

    assert scenario.status()["phase"] == "Canary"
    assert not scenario.status().get("flaggedOff")
    assert known > 20, f"Kubernetes took {known:.0f} s, so that this test has shown nothing"


def test_a_candidate_that_fails_while_its_machine_answers_is_flagged_off_meanwhile(scenario: Scenario, doomed: Process):
    begin(scenario)
    scenario.load.behave("aks-v1", errors=1.0)

    scenario.await_phase("FlaggedOff", seconds=GRACE_SECONDS)

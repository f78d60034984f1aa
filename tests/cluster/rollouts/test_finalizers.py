"""What somebody deleted and a finalizer of others keeps: it asks for nothing any more, and nothing of ours holds it."""

from collections.abc import Callable

import pytest
from harness.processes import until
from harness.rollouts import examples
from harness.rollouts.scenario import Scenario

from pitwall_crds.names import FULL_WEIGHT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

FINALIZER = "example.org/wait"
EVERYBODY_ON_STABLE = {"uniform-v1": FULL_WEIGHT}


@pytest.fixture
def kept(scenario: Scenario) -> Callable[[str, str], None]:
    """Deletes an object that a finalizer keeps."""

    def delete(kind: str, name: str) -> None:
        scenario.patch(kind, name, {"metadata": {"finalizers": [FINALIZER]}})
        scenario.kubectl("delete", kind, name, "--wait=false", namespace=scenario.namespace)

    return delete


@pytest.fixture
def let_go(scenario: Scenario) -> Callable[[str, str], None]:
    """Takes the finalizer away; returns once the object is gone."""

    def release(kind: str, name: str) -> None:
        scenario.patch(kind, name, {"metadata": {"finalizers": None}})
        until(lambda: is_gone(scenario, kind, name), what=f"the end of {kind} {name}")

    return release


def is_gone(scenario: Scenario, kind: str, name: str) -> bool:
    return "NotFound" in scenario.kubectl("get", kind, name, namespace=scenario.namespace, check=False)


def assert_content(scenario: Scenario) -> None:
    """The operator rests, and nothing it did failed."""
    scenario.await_rest()
    log = scenario.operator.process.log.read_text()
    assert "again in" not in log, log
    assert "Traceback" not in log, log


def test_a_deleted_rollout_that_a_finalizer_keeps_gives_users_and_flag_back(scenario: Scenario, kept, let_go):
    scenario.start_canary()

    kept("rollout", scenario.name)

    until(lambda: scenario.split() == EVERYBODY_ON_STABLE, what="the way back")
    until(lambda: set(scenario.deployments()) == {"uniform-v1"}, what="the candidate's pods' end")
    assert_content(scenario)
    second = examples.edited(examples.rollout("rollout.yaml", scenario.flag), "metadata.name", "second")
    scenario.kubectl.apply(second, scenario.namespace)
    until(lambda: phase_of(scenario, "second") == "Stable", what="another rollout on the flag")
    assert not is_gone(scenario, "rollout", scenario.name)

    let_go("rollout", scenario.name)
    assert_content(scenario)
    assert scenario.split() == EVERYBODY_ON_STABLE
    assert set(scenario.deployments()) == {"uniform-v1"}


def phase_of(scenario: Scenario, name: str) -> str:
    phase: str = scenario.kubectl.get("rollout", name, scenario.namespace).get("status", {}).get("phase", "")
    return phase


def test_a_deleted_candidate_that_a_finalizer_keeps_is_no_candidate(scenario: Scenario, kept, let_go):
    scenario.start_canary()

    kept("samplervariant", "aks-v1")

    until(lambda: scenario.split() == EVERYBODY_ON_STABLE, what="the way back")
    until(lambda: set(scenario.deployments()) == {"uniform-v1"}, what="the candidate's pods' end")
    assert_content(scenario)
    let_go("samplervariant", "aks-v1")
    assert_content(scenario)
    assert scenario.split() == EVERYBODY_ON_STABLE


def test_a_deleted_stable_variant_that_a_finalizer_keeps_serves_on(scenario: Scenario, kept, let_go):
    scenario.start()
    scenario.patch("samplervariant", "uniform-v1", {"spec": {"runtime": {"replicas": 2}}})
    until(lambda: scenario.deployments() == {"uniform-v1": 2}, what="another pod")

    kept("samplervariant", "uniform-v1")

    scenario.await_status(lambda status: "does not exist" in status["reason"], "a word about the missing variant")
    assert_content(scenario)
    assert scenario.split() == EVERYBODY_ON_STABLE
    assert scenario.deployments() == {"uniform-v1": 2}
    let_go("samplervariant", "uniform-v1")
    assert_content(scenario)
    assert scenario.split() == EVERYBODY_ON_STABLE


@pytest.mark.parametrize("variant", ["aks-v1", "uniform-v1"], ids=["candidate", "stable"])
def test_a_variant_that_is_deleted_in_the_foreground_goes_with_all_it_owns(scenario: Scenario, variant: str):
    """Kubernetes' own finalizer keeps it until its Deployments are gone: what we make anew meanwhile would keep it."""
    scenario.start_canary()

    scenario.kubectl(
        "delete", "samplervariant", variant, "--cascade=foreground", "--wait=false", namespace=scenario.namespace
    )

    until(lambda: is_gone(scenario, "samplervariant", variant), what="its end")
    until(lambda: variant not in scenario.deployments(), what="its pods' end")


def test_a_variant_that_is_deleted_without_what_it_owns_goes_and_leaves_the_rest(scenario: Scenario):
    """Kubernetes' own finalizer keeps it until all that it owned has no owner, the kept revision's `data` included."""
    scenario.start_canary()

    scenario.kubectl(
        "delete", "samplervariant", "aks-v1", "--cascade=orphan", "--wait=false", namespace=scenario.namespace
    )

    until(lambda: is_gone(scenario, "samplervariant", "aks-v1"), what="its end")
    kept = scenario.kubectl.list("controllerrevisions", scenario.namespace, "pitwall.dev/variant=aks-v1")
    assert [one["metadata"].get("ownerReferences", []) for one in kept] == [[]]

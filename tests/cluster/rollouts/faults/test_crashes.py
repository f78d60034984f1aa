"""An operator that dies after each of its calls leaves nothing that the next one does not put right."""

import itertools
import signal

import pytest
from harness.processes import until
from harness.rollouts.scenario import Scenario

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

LEAST_CALLS = 21
"""A promotion takes more changing calls than this."""


@pytest.mark.parametrize(
    "step",
    [pytest.param(14, id="every-fourteenth-call"), pytest.param(1, id="every-call", marks=pytest.mark.soak)],
)
def test_killed_again_and_again_on_the_way_of_a_promotion(scenario: Scenario, step: int):
    """The operator dies after its first changing call, the next one after some more, …, until one lives to the end."""
    scenario.start()
    scenario.operator.process.stop()
    scenario.apply("rollout-aks.yaml")
    made = 0
    for calls in itertools.count(1, step):
        scenario.operator.start(crash_after=calls)
        until(
            lambda: ended(scenario) or arrived(scenario),
            what=f"call {calls} or the end",
            every=0.2,
        )
        if not ended(scenario):
            break
        assert scenario.operator.process.exit_status == -signal.SIGKILL, scenario.operator.process.last_words()
        # Its holder is dead, so nobody needs to wait until it has expired.
        scenario.kubectl("delete", "lease", "pitwall-operator", "--ignore-not-found", namespace=scenario.namespace)
        made += calls

    assert made + calls > LEAST_CALLS
    scenario.assert_promoted_once()
    scenario.assert_weight_only_grew()


def ended(scenario: Scenario) -> bool:
    return not scenario.operator.process.is_running


def arrived(scenario: Scenario) -> bool:
    status = scenario.status()
    return status.get("phase") == "Stable" and status.get("stableVariant") == "aks-v1"

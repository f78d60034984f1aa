"""On a real API server: who makes ever new Rollouts with new flags fills its own namespace's room alone."""

import json

import httpx
import pytest
from harness.processes import until
from harness.rollouts import examples
from harness.rollouts.scenario import Scenario

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def test_rollouts_that_come_and_go_make_no_more_flags_than_their_namespace_may_have(scenario: Scenario) -> None:
    scenario.take_operator(options=(*scenario.operator.options, "--flags-per-namespace=3"))
    scenario.start()
    base, made = examples.rollout("rollout.yaml", scenario.flag), [scenario.flag]

    def again(number: int, flag: str) -> None:
        scenario.kubectl("delete", "rollout", scenario.name, namespace=scenario.namespace)
        scenario.name = f"r{number}"
        anew = {**base, "metadata": {**base["metadata"], "name": scenario.name}, "spec": {**base["spec"], "flag": flag}}
        scenario.kubectl.apply(anew, scenario.namespace)

    for number in (1, 2):
        made.append(f"{scenario.flag}-{number}")
        again(number, made[-1])
        until(lambda: scenario.flags.split(made[-1]), what=made[-1])
    again(3, f"{scenario.flag}-3")
    scenario.await_status(lambda status: "the limit is 3" in json.dumps(status.get("conditions")), "the refusal")

    listed = httpx.get(f"{scenario.flags.url}/v1/flags", trust_env=False).json()["flags"]
    assert [flag["key"] for flag in listed if flag["key"].startswith(scenario.flag)] == sorted(made)
    again(4, made[1])
    scenario.await_phase("Stable")

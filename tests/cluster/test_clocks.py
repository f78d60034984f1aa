"""The clock of the operator's node is set on the way: no stage is shorter or longer for it, nobody is flagged off."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from harness.clock import Clock
from harness.processes import until
from harness.scenario import CANARY, LONG_SECONDS, Scenario

from pitwall_operator.moments import to_epoch

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

MANY = 500.0
HOUR = 3600
LEAST_SECONDS = 15
STAGES = [CANARY[0] | {"minSeconds": LEAST_SECONDS, "maxSeconds": 600}, CANARY[1]]
"""A stage that must not end early, and whose deadline must not pass."""


@pytest.mark.parametrize("jump", [HOUR, -HOUR], ids=["an hour ahead", "an hour back"])
def test_a_clock_that_is_set_on_the_way(scenario: Scenario, tmp_path: Path, jump: int):
    clock = Clock(tmp_path / "clock")
    operator = scenario.take_operator()
    operator.process.environment.update(clock.environment)
    scenario.start_canary(stages=STAGES, spec__onInconclusive="FlagOff")

    clock.jump(jump)
    until(
        lambda: f"clock is {jump} s ahead" in operator.process.log.read_text(),
        seconds=LONG_SECONDS,
        what="a word about it",
    )
    blocks = count(scenario, "block")
    until(lambda: count(scenario, "block") >= blocks + 3, seconds=LONG_SECONDS, what="evidence by the new clock")
    assert scenario.status()["phase"] == "Canary"
    operator.process.restart()  # and one that begins with such a clock sees no difference either
    scenario.load.behave(rate=MANY)

    scenario.assert_promoted_once()
    scenario.assert_weight_only_grew()
    times = [to_epoch(entry["time"]) for entry in scenario.status()["history"]]
    assert times == sorted(times)
    assert times[-1] < time.time() + 1
    canary, bake = (
        to_epoch(entry["time"]) for entry in history(scenario, lambda one: "enters stage" in one["message"])
    )
    assert bake - canary >= LEAST_SECONDS


def count(scenario: Scenario, kind: str) -> int:
    return [line["kind"] for line in scenario.journal()].count(kind)


def history(scenario: Scenario, claim: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
    return [entry for entry in scenario.status()["history"] if claim(entry)]

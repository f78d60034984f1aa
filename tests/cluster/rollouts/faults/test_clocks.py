"""The clock of the operator's node is set on the way: no deadline passes for it, and nothing waits for it."""

import time
from pathlib import Path

import pytest
from harness.plane.clock import FakeTimeClock
from harness.processes import until
from harness.rollouts.scenario import CANARY, Scenario

from pitwall_operator.values.timestamps import to_epoch

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

MANY = 500.0
HOUR = 3600
STAGES = [CANARY[0] | {"maxSeconds": 600}, CANARY[1]]
"""A deadline that must not pass for a clock's sake: without proof by then the candidate would be flagged off."""


@pytest.mark.soak
def test_a_clock_that_is_set_an_hour_ahead_and_then_an_hour_behind(scenario: Scenario, tmp_path: Path):
    clock = FakeTimeClock(tmp_path / "clock")
    operator = scenario.take_operator()
    operator.process.environment.update(clock.environment)
    scenario.start_canary(stages=STAGES, spec__onInconclusive="FlagOff")

    for jump in (HOUR, -HOUR):
        clock.jump(jump)
        told = f"clock is {jump:+d} s off"
        until(lambda: told in operator.process.log.read_text(), what=told)  # noqa: B023
        await_blocks(scenario, 2)
        assert scenario.status()["phase"] == "Canary"
        clock.jump(0)
        until(lambda: is_right_again(operator.process.log), what="the right time")
    clock.jump(HOUR)
    operator.process.restart()  # one that begins with such a clock sees no difference either
    scenario.load.behave(rate=MANY)

    scenario.assert_promoted_once()
    scenario.assert_weight_only_grew()
    times = [to_epoch(entry["time"]) for entry in scenario.status()["history"]]
    assert times == sorted(times)
    assert times[-1] < time.time() + 1


def is_right_again(log: Path) -> bool:
    """Whether the last word about the clock is that it agrees."""
    words = [line for line in log.read_text().splitlines() if "pitwall_operator.kube.clock" in line]
    return bool(words) and "agrees with" in words[-1]


def await_blocks(scenario: Scenario, more: int) -> None:
    """Evidence goes on being counted."""
    before = count(scenario, "block")
    until(lambda: count(scenario, "block") >= before + more, what="further evidence")


def count(scenario: Scenario, kind: str) -> int:
    return [line["kind"] for line in scenario.journal()].count(kind)

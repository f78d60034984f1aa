"""A run is planned once, beside the turns, from what was measured of the stable variant, and shown in its status."""

import asyncio
import logging

import pytest

from pitwall_crds.names import Arm, Metric
from pitwall_operator.decision.decide import decide
from pitwall_operator.turn import run_planner
from pitwall_operator.turn.run_planner import AGAIN_SECONDS, RunPlanner
from pitwall_operator.values.observation import ProcessCounters, Reading, RunPlan, Unseen


def asked(questions: int, seconds: float = 1000.0) -> Reading:
    """A gateway that was asked so many questions since it started."""
    labels = {"sampler_variant": "uniform-v1", "arm": "stable", "outcome": "ok"}
    return Reading(seconds, {"gateway": ProcessCounters(0.0, {Metric.QUERIES: ((labels, float(questions)),)})})


@pytest.fixture
def moving(world):
    """A candidate on its way."""
    world.apply("rollout-aks.yaml")
    world.until(lambda w: w.weight(Arm.CANDIDATE) > 0, world.good_block)
    return world


@pytest.fixture
def clock():
    return [0.0]


@pytest.fixture
def planner(clock):
    return RunPlanner(clock=lambda: clock[0])


async def made(planner: RunPlanner, rollout, reading) -> RunPlan | None:
    """The plan when it is there, or None when its making came to nothing."""
    found = planner.of(rollout, reading, 1)
    while found is None and planner._making:
        await asyncio.sleep(0.01)
        found = planner.of(rollout, reading, 1)
    return found


async def test_the_plan_comes_with_a_later_turn_and_is_kept_in_the_status(moving, planner):
    assert planner.of(moving.rollout, asked(1000), 1) is None  # the turn does not wait for it
    plan = await made(planner, moving.rollout, asked(1000))

    assert plan is not None
    assert plan.run == moving.status.run_id
    assert plan.sentences[0].startswith("at 1 questions a second a healthy candidate ")
    moving.plan = plan
    after = decide(moving.rollout, moving.seen()).status
    assert after.plan == plan.sentences
    kept = moving.rollout.model_copy(update={"status": after})
    assert await made(planner, kept, asked(1000)) is None  # once per run


async def test_the_plan_of_a_former_run_is_not_shown(moving):
    moving.plan = RunPlan("another", ("about 3 days",))
    assert decide(moving.rollout, moving.seen()).status.plan == ()


async def test_too_little_traffic_is_tried_again_later(moving, planner, clock):
    assert await made(planner, moving.rollout, asked(5)) is None
    assert await made(planner, moving.rollout, asked(1000)) is None  # not at once
    clock[0] += AGAIN_SECONDS
    assert await made(planner, moving.rollout, asked(1000)) is not None


async def test_what_cannot_be_measured_is_not_planned(moving, planner):
    assert await made(planner, moving.rollout, Unseen("Prometheus is down")) is None


async def test_a_plan_that_breaks_stops_no_turn(moving, planner, monkeypatch, caplog):
    def broken(*_):
        raise ZeroDivisionError("by chance")

    monkeypatch.setattr(run_planner, "_sentences_of", broken)
    with caplog.at_level(logging.WARNING):
        assert await made(planner, moving.rollout, asked(1000)) is None
    assert "could not be planned: ZeroDivisionError: by chance" in caplog.text


def another_run(rollout, number: int, *, namespace: str = "default", name: str = "sampler"):
    """The same on its way once more."""
    status = rollout.status.model_copy(update={"run_id": f"run-{number}"})
    metadata = rollout.metadata.model_copy(update={"namespace": namespace, "name": name})
    return rollout.model_copy(update={"status": status, "metadata": metadata})


async def at_rest(planner: RunPlanner) -> None:
    """Until nothing is made."""
    if planner._making:
        await planner._making


async def test_a_run_that_ends_while_it_is_planned_leaves_nothing(moving, planner):
    planner.of(moving.rollout, asked(1000), 1)
    ended = moving.rollout.model_copy(update={"status": moving.status.model_copy(update={"candidate_variant": ""})})
    assert planner.of(ended, asked(1000), 1) is None
    await at_rest(planner)
    assert not planner._plans


async def test_a_run_that_is_replaced_or_gone_while_it_is_planned_keeps_no_other_from_its_plan(moving, planner):
    planner.of(another_run(moving.rollout, 1), asked(1000), 1)
    await at_rest(planner)
    planner.of(another_run(moving.rollout, 2, name="gone"), asked(1000), 1)
    planner.forget(("default", "gone"))
    await at_rest(planner)

    last = another_run(moving.rollout, 3)
    plan = await made(planner, last, asked(1000))
    assert plan is not None
    assert plan.run == "run-3"
    assert set(planner._plans) == {("default", "sampler")}


async def test_a_namespace_whose_plan_took_long_lets_the_others_go_first(moving, planner, clock, monkeypatch):
    async def long(*_):
        clock[0] += 20.0
        return ("about 3 days",)

    monkeypatch.setattr(run_planner, "sentences_of", long)
    planner.of(another_run(moving.rollout, 1, namespace="evil"), asked(1000), 1)
    await at_rest(planner)

    assert await made(planner, another_run(moving.rollout, 2, namespace="evil"), asked(1000)) is None
    assert await made(planner, another_run(moving.rollout, 3, namespace="victim"), asked(1000)) is not None
    clock[0] += 20.0
    assert await made(planner, another_run(moving.rollout, 4, namespace="evil"), asked(1000)) is not None

"""Stable became many times as quick as the history from which a gate's thresholds were frozen."""

import json
import random

import pytest

from pitwall_crds.names import Arm
from pitwall_crds.rollout.gate import Dependence, Gate
from pitwall_crds.rollout.rollout import Analysis
from pitwall_crds.rollout.status import Phase, Verdict
from pitwall_operator.record.lines import evidence_lines
from pitwall_operator.record.replay import replay

LATENCY = {
    "name": "latency-p90",
    "quantile": {"metric": "QueryLatency", "perMille": 900},
    "marginPercent": 25,
    "absoluteMarginBasisPoints": 1000,
    "warmupSeconds": 0,
}


def seconds(chance: random.Random, median: float) -> float:
    """Rounded to 6 %, so that few different numbers are counted."""
    return round(median * 1.06 ** round(chance.gauss(0, 0.5) / 0.058), 6)


@pytest.fixture
def gated(world):
    """A world whose latency alone is gated, and whose stable variant took ten seconds until now."""
    chance = random.Random(1)
    for _ in range(3000):
        world.counters.serve("uniform-v1", Arm.STABLE, seconds(chance, 10.0))
    world.apply("rollout-aks.yaml")

    def under(dependence: Dependence):
        gate = Gate.model_validate({**LATENCY, "dependence": dependence})
        stages = world.rollout.spec.stages[1:]
        world.want(analysis=Analysis(gates=(gate,), block_seconds=1), stages=stages)
        return world

    return under


def walk(world, median: float, times: float, turns: int) -> list:
    """The record of turns with a candidate so many times as slow, until it serves everybody or nobody."""
    chance, written = random.Random(2), []
    for _ in range(turns):
        for arm, variant, factor in (
            (Arm.STABLE, "uniform-v1", 1.0), (Arm.CONTROL, "uniform-v1", 1.0), (Arm.CANDIDATE, "aks-v1", times),
        ):  # fmt: skip
            for _ in range(20 if world.weight(arm) else 0):
                world.counters.serve(variant, arm, seconds(chance, median * factor))
        before = world.rollout
        written += evidence_lines(before, world.turn())
        if world.status.phase is Phase.FLAGGED_OFF or world.status.stable_variant == "aks-v1":
            break
    return json.loads(json.dumps(written))


@pytest.mark.parametrize("dependence", Dependence)
def test_by_thresholds_beyond_everybody_nobody_passes(gated, dependence):
    world = gated(dependence)
    written = walk(world, median=1.0, times=3.0, turns=120)

    assert (world.status.phase, world.status.stage) == (Phase.CANARY, "1%")
    assert world.status.verdict is Verdict.UNMEASURED
    assert "stable has become much quicker: of " in world.status.reason
    assert [words for block in replay(written) for words in block.disagreements()] == []


@pytest.mark.parametrize("dependence", Dependence)
@pytest.mark.parametrize("median", [3.0, 10.0])
def test_who_is_seen_by_them_is_judged_by_them(gated, dependence, median):
    world = gated(dependence)
    walk(world, median=median, times=3.0, turns=120)

    assert world.status.flagged_off[-1].gate == "latency-p90"


@pytest.mark.parametrize("dependence", Dependence)
@pytest.mark.parametrize("median", [6.0, 10.0])
def test_in_a_day_that_is_quicker_a_twin_passes(gated, dependence, median):
    world = gated(dependence)
    walk(world, median=median, times=1.0, turns=300)

    assert world.status.stable_variant == "aks-v1"


def test_an_older_version_did_not_say_what_was_beyond_them(gated):
    world = gated(Dependence.QUERY)
    walk(world, median=1.0, times=1.0, turns=2)
    (gate,) = world.status.gates
    assert gate.tail is not None
    older = gate.tail.model_copy(
        update={"share": None, "further": tuple(edge.model_copy(update={"share": None}) for edge in gate.tail.further)}
    )
    status = world.status.model_copy(update={"gates": (gate.model_copy(update={"tail": older}),)})
    world.rollout = world.rollout.model_copy(update={"status": status})
    walk(world, median=1.0, times=1.0, turns=80)

    assert world.status.stable_variant == "aks-v1"

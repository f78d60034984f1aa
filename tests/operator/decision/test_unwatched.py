"""Time in which nobody could look ends no bake and passes no deadline: it is neither good nor bad."""

import pytest

from pitwall_crds.names import Arm
from pitwall_crds.rollout.gate import Dependence
from pitwall_crds.rollout.rollout import OnInconclusive
from pitwall_crds.rollout.status import Phase, Verdict

BAKE = 3600


@pytest.fixture
def baking(world):
    """A world whose candidate has all users but the control's, for an hour; its gates weigh blocks."""
    world.apply("rollout-aks.yaml")
    *stages, last = world.rollout.spec.stages
    world.want(stages=(*stages, last.model_copy(update={"bake_seconds": BAKE})))
    return weighing_blocks(world.until(lambda w: w.weight(Arm.CANDIDATE) == 9500, world.good_block))


def weighing_blocks(world):
    analysis = world.rollout.spec.analysis
    gates = tuple(gate.model_copy(update={"dependence": Dependence.BLOCK}) for gate in analysis.gates)
    world.want(analysis=analysis.model_copy(update={"gates": gates}))
    return world


def fail(world, minutes: int) -> None:
    """One in five questions of the candidate's fails."""
    world.counters.serve("aks-v1", Arm.CANDIDATE, 0.01, 190 * minutes, errors=38 * minutes)
    world.counters.serve("uniform-v1", Arm.CONTROL, 0.01, 10 * minutes)


def away(world, seconds: int) -> None:
    """The operator is not there."""
    world.now += seconds


def blind(world, seconds: int) -> None:
    """The operator turns, and sees no counters."""
    world.blind = "Prometheus is down"
    for _ in range(10):
        world.turn(seconds / 10)
    world.blind = ""


def disturbed(world, seconds: int) -> None:
    """The control's pods are drained again and again."""
    pools = world.pools["uniform-v1"]
    for _ in range(seconds // 60):
        for pool, seen in pools.items():
            pools[pool] = type(seen)(seen.revision, seen.desired, 0, fault="its node is drained")
        world.turn(60)
    world.start_pods()


@pytest.mark.parametrize("meanwhile", [away, blind])
def test_a_bake_that_nobody_watched_does_not_end(baking, meanwhile):
    fail(baking, 2 * BAKE // 60)
    meanwhile(baking, 2 * BAKE)
    baking.turn(1)

    assert baking.status.phase is Phase.BAKE
    assert "s in which nothing was measured, until" in baking.status.reason

    for _ in range(60):
        if baking.status.phase is Phase.BAKE:
            fail(baking, 1)
            baking.turn(60)

    assert baking.status.flagged_off[-1].gate == "errors"


def test_a_bake_whose_blocks_were_all_disturbed_does_not_end(baking):
    fail(baking, 2 * BAKE // 60)
    disturbed(baking, 2 * BAKE)
    fail(baking, 1)
    baking.turn(60)

    assert baking.status.phase is Phase.BAKE


def test_a_bake_goes_on_from_what_was_watched(baking):
    def healthy_minutes(number: int) -> None:
        for _ in range(number):
            baking.good_block()
            baking.turn(60)

    healthy_minutes(50)
    away(baking, BAKE)
    healthy_minutes(3)
    assert baking.status.phase is Phase.BAKE

    healthy_minutes(9)
    assert baking.status.stable_variant == "aks-v1"


@pytest.mark.parametrize("on_inconclusive", [OnInconclusive.FLAG_OFF, OnInconclusive.PROMOTE])
@pytest.mark.parametrize("meanwhile", [away, blind])
def test_a_deadline_that_passed_while_nobody_looked_decides_nothing(world, meanwhile, on_inconclusive):
    weighing_blocks(world.to_canary())
    first, second, *others = world.rollout.spec.stages
    stages = (first, second.model_copy(update={"max_seconds": 3600}), *others)
    world.want(stages=stages, on_inconclusive=on_inconclusive)
    for _ in range(5):
        world.good_block()
        world.turn(5)

    meanwhile(world, 2 * 3600)
    world.good_block()
    world.turn(5)

    assert (world.status.phase, world.status.stage_index) == (Phase.CANARY, 1)
    assert world.status.verdict is Verdict.INCONCLUSIVE

    for _ in range(70):
        world.turn(60)

    assert (world.status.phase, world.status.stage_index) != (Phase.CANARY, 1), "it is asked again once it was watched"


def test_each_stage_begins_with_none(baking):
    away(baking, BAKE)
    baking.turn(1)
    assert baking.status.unwatched_seconds

    baking.until(lambda w: w.status.stable_variant == "aks-v1", lambda: (baking.good_block(), away(baking, 60)))
    baking.edit("aks-v1", "r2")
    baking.until(lambda w: w.status.candidate_revision == "r2", baking.good_block)

    assert baking.status.unwatched_seconds == 0

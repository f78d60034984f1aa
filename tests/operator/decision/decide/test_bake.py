"""The last stage: a bake asks for no proof, but somebody must have asked the candidate."""

import copy
import json

import pytest

from pitwall_crds.names import Arm
from pitwall_crds.rollout.action import Verb
from pitwall_crds.rollout.gate import Dependence
from pitwall_crds.rollout.rollout import OnInconclusive
from pitwall_crds.rollout.status import Phase
from pitwall_operator.decision.steps.move import LEAST_BAKED
from pitwall_operator.record.lines import evidence_lines
from pitwall_operator.record.replay import replay


@pytest.fixture(scope="module")
def baked(new_world):
    """A world whose candidate has all users but the control's, for an hour. The way there takes longest."""
    world = new_world()
    world.apply("rollout-aks.yaml")
    *stages, last = world.rollout.spec.stages
    world.want(stages=(*stages, last.model_copy(update={"bake_seconds": 3600})))
    return world.until(lambda w: w.weight(Arm.CANDIDATE) == 9500, world.good_block)


@pytest.fixture
def baking(baked):
    """A world like it, for one test."""
    return copy.deepcopy(baked)


def test_a_bake_in_which_nobody_asks_does_not_end(baking):
    for _ in range(65):
        baking.turn(60)

    assert baking.status.phase is Phase.BAKE
    assert f"of the {LEAST_BAKED} trials that it needs at least" in baking.status.reason
    told = next(condition for condition in baking.status.conditions if condition.type == "Progressing")
    assert told.message == baking.status.reason

    baking.until(lambda w: w.status.stable_variant == "aks-v1", baking.good_block, limit=10)


@pytest.mark.parametrize("on_inconclusive", list(OnInconclusive))
def test_at_its_deadline_it_is_not_measured(baking, on_inconclusive):
    *stages, last = baking.rollout.spec.stages
    baking.want(stages=(*stages, last.model_copy(update={"max_seconds": 4000})), on_inconclusive=on_inconclusive)
    for _ in range(70):
        baking.turn(60)

    assert baking.status.phase is Phase.BAKE
    assert "deadline of 4000 s passed without proof (the bake has counted" in baking.status.reason


def test_a_person_needs_nobody_who_asks(baking):
    baking.ask(Verb.PROMOTE)
    for _ in range(3):
        baking.turn(60)

    assert baking.status.stable_variant == "aks-v1"


def one_to_nineteen(world, seconds: float, control_seconds: float = 0.01) -> None:
    world.counters.serve("aks-v1", Arm.CANDIDATE, seconds, 19)
    if world.weight(Arm.CONTROL):
        world.counters.serve("uniform-v1", Arm.CONTROL, control_seconds, 1)


@pytest.mark.parametrize("dedicated", [True, False])
@pytest.mark.parametrize("dependence", Dependence)
def test_what_becomes_grossly_slow_in_it_is_off(baking, dependence, dedicated):
    spec = baking.rollout.spec
    gates = tuple(gate.model_copy(update={"dependence": dependence}) for gate in spec.analysis.gates)
    baking.want(
        analysis=spec.analysis.model_copy(update={"gates": gates}),
        control=spec.control.model_copy(update={"dedicated": dedicated}),
    )

    baking.until(lambda w: w.status.phase is Phase.FLAGGED_OFF, lambda: one_to_nineteen(baking, 5.0), limit=150)

    assert baking.status.flagged_off[-1].gate == "latency-p90"
    assert "took more than 15 times stable's p75, where 50.0% may" in baking.status.flagged_off[-1].message


def test_what_becomes_grossly_slow_without_any_control_is_off(baking):
    *stages, last = baking.rollout.spec.stages
    baking.want(stages=(*stages, last.model_copy(update={"bake_control_basis_points": 0})))

    baking.until(lambda w: w.status.phase is Phase.FLAGGED_OFF, lambda: one_to_nineteen(baking, 5.0), limit=150)


@pytest.mark.parametrize(("seconds", "control_seconds"), [(0.1, 0.01), (5.0, 5.0)])
def test_what_is_slower_under_its_load_or_as_slow_as_its_control_is_not(baking, seconds, control_seconds):
    for _ in range(150):
        one_to_nineteen(baking, seconds, control_seconds)
        baking.turn()

    assert baking.status.phase is Phase.BAKE
    assert "latency-p90 not compared" in baking.status.reason
    assert "if grossly slow by stable's record, it is off" in baking.status.reason


def test_what_flags_it_off_is_recorded_and_replayed(world):
    world.apply("rollout-aks.yaml")
    *stages, last = world.rollout.spec.stages
    world.want(stages=(*stages, last.model_copy(update={"bake_seconds": 3600})))
    written = []
    for _ in range(400):
        if world.status.phase is Phase.BAKE and world.weight(Arm.CANDIDATE) == 9500:
            one_to_nineteen(world, 5.0)
        else:
            world.good_block()
        before = world.rollout
        written += evidence_lines(before, world.turn())
        if world.status.phase is Phase.FLAGGED_OFF:
            break
    blocks = list(replay(json.loads(json.dumps(written))))

    assert world.status.flagged_off[-1].gate == "latency-p90"
    assert "gross-harm" in {reading.name for reading in blocks[-1].assessments["latency-p90"].readings}
    assert [words for block in blocks for words in block.disagreements()] == []

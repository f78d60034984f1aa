"""The last stage: a bake asks for no proof, but somebody must have asked the candidate."""

import pytest

from pitwall_crds.names import Arm
from pitwall_crds.rollout.action import Verb
from pitwall_crds.rollout.rollout import OnInconclusive
from pitwall_crds.rollout.status import Phase
from pitwall_operator.decision.steps.move import LEAST_BAKED


@pytest.fixture
def baking(world):
    """A world whose candidate has all users but the control's, for an hour."""
    world.apply("rollout-aks.yaml")
    *stages, last = world.rollout.spec.stages
    world.want(stages=(*stages, last.model_copy(update={"bake_seconds": 3600})))
    return world.until(lambda w: w.weight(Arm.CANDIDATE) == 9500, world.good_block)


def test_a_bake_in_which_nobody_asks_does_not_end(baking):
    for _ in range(100):
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
    for _ in range(100):
        baking.turn(60)

    assert baking.status.phase is Phase.BAKE
    assert "deadline of 4000 s passed without proof (the bake has counted" in baking.status.reason


def test_a_person_needs_nobody_who_asks(baking):
    baking.ask(Verb.PROMOTE)
    for _ in range(3):
        baking.turn(60)

    assert baking.status.stable_variant == "aks-v1"

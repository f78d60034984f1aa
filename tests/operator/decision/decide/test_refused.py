"""A rollout that may move nothing, since its flag or a variant is another's: what is on its way can be taken off."""

import pytest

from pitwall_crds.names import FULL_WEIGHT, Arm, EventReason
from pitwall_crds.rollout.action import Verb
from pitwall_crds.rollout.status import Phase
from pitwall_operator.values.effects import SetShadow, SetSplit
from pitwall_operator.values.observation import Share

EVERYBODY = (Share(Arm.STABLE, "uniform-v1", FULL_WEIGHT),)
WHY = "SamplerVariant 'aks-v1' is already run by Rollout team/elder"


@pytest.fixture
def refused(world):
    """A canary with users that somebody's edit made a rollout which may move nothing."""
    world.to_canary()
    world.refused = WHY
    world.applied.clear()
    return world


def harm(world):
    world.until(lambda w: w.status.phase is Phase.FLAGGED_OFF, lambda: world.block(
        "aks-v1", candidate_seconds=2.0, bad=10, good=0
    ))  # fmt: skip


def kill(world):
    world.kill()
    world.turn()


def abort(world):
    world.ask(Verb.ABORT)
    world.turn()


@pytest.mark.parametrize(
    ("take_off", "phase"), [(harm, Phase.FLAGGED_OFF), (abort, Phase.ABORTED), (kill, Phase.ABORTED)]
)  # fmt: skip
def test_its_candidate_is_taken_off_as_ever_and_its_users_go_back(refused, take_off, phase):
    take_off(refused)

    assert (refused.status.phase, refused.status.candidate_variant) == (phase, "")
    assert refused.shares() == EVERYBODY
    assert refused.condition("Ready") == ("False", EventReason.INVALID)
    refused.applied.clear()
    refused.turn()
    assert refused.applied == []
    assert [share.arm for share in refused.status.weights] == [Arm.STABLE]


def test_nothing_begins_and_nobody_new_meets_its_candidate(refused):
    shares = refused.shares()
    refused.want(action=None)
    refused.ask(Verb.PROMOTE)
    for _ in range(50):
        refused.good_block()
        refused.turn()
    assert (refused.shares(), refused.applied) == (shares, [])

    refused.ask(Verb.ABORT)
    refused.turn()
    refused.point_at("dpp-v1")
    refused.turn()
    assert refused.status.candidate_variant == ""
    assert all(isinstance(effect, SetSplit | SetShadow) or effect.reason == EventReason.ABORTED
               for effect in refused.applied)  # fmt: skip


def test_what_was_asked_while_it_was_refused_stays_and_its_run_goes_on_afterwards(refused):
    run, stage = refused.status.run_id, refused.status.stage_index
    for _ in range(3):
        refused.good_block()
        refused.turn()
    refused.refused = ""
    refused.until(lambda w: w.status.stage_index > stage or w.status.stable_variant == "aks-v1", refused.good_block)
    assert run == refused.status.run_id


def test_the_flag_of_another_is_not_written_though_a_person_aborts(refused):
    refused.split = replace_owner(refused.split, "team/elder")
    before = refused.shares()
    abort(refused)

    assert refused.status.phase is Phase.ABORTED
    assert refused.shares() == before


@pytest.mark.parametrize(
    "fields", [{"phase": Phase.CANARY, "stage_index": 7}, {"stage_start_time": "at noon"}], ids=["a stage", "a time"]
)
@pytest.mark.parametrize("takes_off", [lambda world: None, abort, kill], ids=["nothing", "abort", "kill"])
def test_a_status_that_cannot_be_is_healed_before_anything_is_done_with_it(world, fields, takes_off):
    world.refused = WHY
    world.rollout = world.rollout.model_copy(update={"status": world.status.model_copy(update=fields)})
    takes_off(world)
    world.turn()

    assert (world.status.phase, world.status.stage_index, world.status.stage_start_time) == (Phase.STABLE, 0, "")
    assert [entry.reason for entry in world.status.history].count(EventReason.BROKEN) == 1


def replace_owner(split, owner):
    return type(split)(split.shares, split.salt, owner=owner)

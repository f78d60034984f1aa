"""Pods that other flags of the namespace send users to: they neither go nor change under them."""

import pytest

from pitwall_crds.names import Arm, Pool
from pitwall_crds.resource import Reference
from pitwall_crds.rollout.action import Action, Verb
from pitwall_crds.rollout.rollout import Experiment, ShadowStage, Stage
from pitwall_crds.rollout.status import FlaggedOff, Phase
from pitwall_operator.values.effects import DrainVariant, RunVariant
from pitwall_operator.values.observation import Past, PoolSeen, ShadowSeen, Share, SplitSeen, Unseen

FORMER = "former.variant"


def with_another_flag(world):
    """The Rollout is deleted and applied anew with another flag: nothing is known of what the former one serves."""
    world.make_anew()
    world.split, world.shadow = SplitSeen(), ShadowSeen()
    world.want(flag="new.variant")
    return world


def test_pods_that_a_former_flags_users_are_sent_to_stay(world):
    world.to_canary()
    with_another_flag(world).elsewhere = {"uniform-v1": FORMER, "aks-v1": FORMER}
    for _ in range(5):
        world.turn()

    assert world.shares() == (Share(Arm.STABLE, "aks-v1", 10_000),)
    assert world.pools["uniform-v1"][Pool.MAIN].ready == 1
    assert Pool.CONTROL not in world.pools["uniform-v1"]

    world.elsewhere = {}  # that flag was deleted
    world.turn()
    assert world.pools["uniform-v1"] == {}


def test_while_other_flags_cannot_be_seen_nothing_is_drained_nor_taken_for_the_first(world):
    world.to_canary()
    with_another_flag(world).elsewhere = Unseen("the flag service is away")
    world.edit("aks-v1", "r2")
    world.applied.clear()
    for _ in range(3):
        world.turn()

    assert world.applied == []
    assert "nobody knows yet what other flags serve" in world.status.reason


def test_a_request_that_lies_in_a_rollout_that_was_made_anew_outlives_no_turn_that_saw_no_other_flags(world):
    """Nothing is taken from the record before, or the next turn would take the request for one that was asked now."""
    with_another_flag(world).elsewhere = Unseen("the flag service is away")
    world.past = Past(last_run="before")
    world.want(action=Action(id="7", verb=Verb.PROMOTE, actor="ann", full=True))
    world.edit("uniform-v1", "r2")
    world.turn()
    assert (world.status.run_id, world.status.last_action_id) == ("", "")

    world.elsewhere = {"uniform-v1": FORMER}
    for _ in range(4):
        world.turn()
    assert (world.status.stable_revision, world.status.candidate_revision) == ("r1", "r2")
    assert world.reasons().count("Ignored") == 1


def test_an_edit_of_what_serves_another_flag_is_a_run_of_its_own(world):
    with_another_flag(world).elsewhere = {"uniform-v1": FORMER}
    world.want(variant_ref=Reference(name="uniform-v1"))
    world.edit("uniform-v1", "r2")
    world.turn()
    for _ in range(3):
        world.turn()

    assert world.pools["uniform-v1"][Pool.MAIN].revision == "r1"
    assert (world.status.stable_variant, world.status.stable_revision) == ("uniform-v1", "r1")
    assert (world.status.candidate_variant, world.status.candidate_revision) == ("uniform-v1", "r2")
    assert world.pools["uniform-v1"][Pool.CANDIDATE].revision == "r2"
    assert f"as flag {FORMER} says" in world.status.history[0].message


def test_what_was_taken_off_is_not_adopted_from_another_flag(world):
    off = FlaggedOff(variant="uniform-v1", revision="r1", gate="errors", message="worse", time="2027-01-01T00:00:00Z")
    with_another_flag(world).elsewhere = {"uniform-v1": FORMER}
    world.past = Past(flagged_off=(off,))
    world.want(variant_ref=Reference(name="uniform-v1"))
    world.turn()

    assert (world.status.phase, world.status.stable_variant) == (Phase.FLAGGED_OFF, "")


@pytest.fixture
def lender(world):
    """aks-v1 serves another flag with three pods, and was edited since."""
    world.pools["aks-v1"] = {Pool.MAIN: PoolSeen("r1", desired=3, ready=3)}
    world.elsewhere = {"aks-v1": FORMER}
    world.want(stages=(Stage(weight_basis_points=2000, min_seconds=9999), Stage(weight_basis_points=10_000)))
    return world


def test_a_candidate_whose_pods_serve_another_flag_at_another_revision_waits_and_says_what_helps(lender):
    lender.edit("aks-v1", "r2")
    lender.point_at("aks-v1")
    for _ in range(3):
        lender.turn()

    assert lender.pools["aks-v1"][Pool.MAIN] == PoolSeen("r1", desired=3, ready=3)
    assert lender.status.candidate_variant == ""
    assert f"its pods serve the users of flag {FORMER!r} at revision r1" in lender.status.reason
    assert "apply the edit as a SamplerVariant of another name, or delete that flag" in lender.status.reason

    lender.elsewhere = {}
    lender.until(lambda w: w.weight(Arm.CANDIDATE) == 2000, lambda: None, limit=5)
    assert lender.pools["aks-v1"][Pool.MAIN].revision == "r2"


def test_a_candidate_of_the_revision_that_serves_another_flag_leaves_it_all_its_pods(lender):
    lender.point_at("aks-v1")
    lender.until(lambda w: w.weight(Arm.CANDIDATE) == 2000, lambda: None, limit=5)

    assert lender.pools["aks-v1"][Pool.MAIN].desired == 3
    lender.point_at("uniform-v1")
    for _ in range(4):
        lender.turn()
    assert DrainVariant("aks-v1", Pool.MAIN) not in lender.applied


def test_an_experiment_neither_changes_nor_scales_what_serves_another_flag(lender):
    lender.edit("aks-v1", "r2")
    lender.want(experiments=(Experiment(variant_ref=Reference(name="aks-v1"), shadow=ShadowStage(percent=5)),))
    for _ in range(3):
        lender.turn()

    assert not [one for one in lender.applied if isinstance(one, RunVariant) and one.variant == "aks-v1"]

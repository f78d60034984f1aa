"""Pods: what runs when, what waits for capacity, an edit of the stable variant beside its own pods."""

from dataclasses import replace

from pitwall_crds.names import Arm, Pool
from pitwall_crds.resource import Reference
from pitwall_crds.rollout.action import Action, Verb
from pitwall_crds.rollout.status import Phase
from pitwall_operator.values.effects import DrainVariant
from pitwall_operator.values.observation import PoolSeen, Share


def test_the_first_variant_serves_everybody_once_it_is_ready(world):
    assert world.status.phase is Phase.STABLE
    assert world.shares() == (Share(Arm.STABLE, "uniform-v1", 10_000),)


def test_traffic_waits_for_the_first_variants_pods(cold_world):
    for _ in range(3):
        cold_world.turn()

    assert cold_world.shares() == ()
    assert cold_world.condition("Ready") == ("False", "Waiting")
    assert "waiting for capacity: uniform-v1 (main) has 0 of 1 replicas ready" in cold_world.status.reason


def test_old_pools_are_drained_after_promotion(world):
    world.to_canary()
    world.until(lambda w: w.status.stable_variant == "aks-v1", world.good_block)
    for _ in range(3):
        world.turn()

    assert DrainVariant("uniform-v1", Pool.MAIN) in world.applied
    assert DrainVariant("uniform-v1", Pool.CONTROL) in world.applied
    assert [name for name, pools in world.pools.items() if pools] == ["aks-v1"]


def test_a_dead_pool_is_run_again(world):
    world.to_canary()
    world.pools["aks-v1"] = {}
    world.turn()

    assert world.pools["aks-v1"][Pool.MAIN].desired == 1


def test_a_control_pool_that_stands_in_for_a_dead_main_pool_is_not_drained(world):
    world.to_canary()
    main = world.pools["uniform-v1"][Pool.MAIN]
    world.pools["uniform-v1"][Pool.MAIN] = replace(main, ready=0)
    world.want(action=Action(id="1", verb=Verb.ABORT))
    for _ in range(4):
        world.turn()
    assert Pool.CONTROL in world.pools["uniform-v1"]

    world.pools["uniform-v1"][Pool.MAIN] = main
    world.turn()
    assert Pool.CONTROL not in world.pools["uniform-v1"]


def edited(world):
    """The stable variant with a new spec, in its shadow stage."""
    world.apply("rollout-aks.yaml")
    world.want(variant_ref=Reference(name="uniform-v1"))
    world.turn()
    world.revisions["uniform-v1"] = "r2"
    world.turn()
    return world


def test_an_edited_stable_variant_is_its_own_candidate_and_keeps_its_pods(world):
    edited(world)
    world.turn()

    assert (world.status.candidate_variant, world.status.candidate_revision) == ("uniform-v1", "r2")
    assert world.pools["uniform-v1"][Pool.MAIN].revision == "r1"
    assert world.pools["uniform-v1"][Pool.CANDIDATE].revision == "r2"


def test_a_promoted_edit_serves_from_its_own_pods_until_the_main_pool_runs_it(world):
    edited(world)
    world.until(lambda w: w.weight(Arm.CANDIDATE) == 9500, lambda: world.good_block("uniform-v1", "uniform-v1"))
    world.pods_become_ready = False
    world.until(lambda w: w.status.stable_revision == "r2", lambda: world.good_block("uniform-v1", "uniform-v1"))
    assert world.pools["uniform-v1"][Pool.MAIN] == PoolSeen("r2", desired=1, ready=0)
    assert world.weight(Arm.CANDIDATE) == 9500
    assert Pool.CANDIDATE in world.pools["uniform-v1"]

    world.pools["uniform-v1"][Pool.MAIN] = PoolSeen("r2", desired=1, ready=1)
    for _ in range(3):
        world.turn()
    assert world.shares() == (Share(Arm.STABLE, "uniform-v1", 10_000),)
    assert list(world.pools["uniform-v1"]) == [Pool.MAIN]


def test_a_harmful_edit_of_the_stable_variant_goes_back_at_once(world):
    world.apply("rollout-dpp.yaml")
    world.want(variant_ref=Reference(name="uniform-v1"))
    world.turn()
    world.revisions["uniform-v1"] = "r2"
    world.until(
        lambda w: w.status.phase is Phase.FLAGGED_OFF,
        lambda: world.block("uniform-v1", candidate_seconds=0.2, bad=2, good=8),
    )
    world.turn()

    assert world.shares() == (Share(Arm.STABLE, "uniform-v1", 10_000),)
    assert (world.status.stable_variant, world.status.stable_revision) == ("uniform-v1", "r1")
    assert world.pools["uniform-v1"][Pool.MAIN].revision == "r1"


def test_a_candidate_whose_revision_is_not_ready_gets_no_traffic(world):
    world.apply("rollout-dpp.yaml")
    world.pools["dpp-v1"] = {Pool.MAIN: PoolSeen("older", desired=1, ready=1)}
    world.pods_become_ready = False
    for _ in range(3):
        world.turn()

    assert world.weight(Arm.CANDIDATE) == 0
    assert "waiting for capacity" in world.status.reason


def test_pods_of_a_variant_that_was_taken_off_are_kept_for_a_while(world):
    world.to_canary()
    world.want(scale_down_delay_seconds=60, action=Action(id="1", verb=Verb.ABORT))
    for _ in range(5):
        world.turn(seconds=10)
    assert world.pools["aks-v1"]

    world.turn(seconds=20)
    assert not world.pools["aks-v1"]


def test_candidate_traffic_waits_for_candidate_pods(world):
    world.apply("rollout-dpp.yaml")
    world.pods_become_ready = False
    for _ in range(5):
        world.turn()

    assert world.weight(Arm.CANDIDATE) == 0
    assert "waiting for capacity" in world.status.reason

"""The decision core in simulated environments that obey at once: the way of a candidate, good or bad."""

from collections.abc import Callable

from pitwall_crds.names import Arm, EventReason
from pitwall_crds.rollout.status import Phase, Verdict
from pitwall_operator.decision.decide import decide
from pitwall_operator.values.effects import Announce, DrainVariant, SetSplit
from pitwall_operator.values.observation import Share, SplitSeen, Unseen


def test_a_good_variant_goes_through_every_stage_and_becomes_stable(world):
    world.apply("rollout-aks.yaml")
    weights = []
    world.until(
        lambda w: w.status.stable_variant == "aks-v1",
        lambda: (weights.append(world.weight(Arm.CANDIDATE)), world.good_block()),
    )
    world.turn()

    assert world.condition("Ready") == ("True", "Stable")
    assert [w for i, w in enumerate(weights) if i == 0 or weights[i - 1] != w] == [0, 100, 1000, 5000, 9500]
    assert world.shares() == (Share(Arm.STABLE, "aks-v1", 10_000),)
    assert world.status.phase is Phase.STABLE


def test_the_control_is_as_large_as_the_candidate_while_there_is_room(world):
    seen = set()
    world.apply("rollout-aks.yaml")
    world.until(
        lambda w: w.status.stable_variant == "aks-v1",
        lambda: (seen.add((world.weight(Arm.CANDIDATE), world.weight(Arm.CONTROL))), world.good_block()),
    )

    assert seen == {(0, 0), (100, 100), (1000, 1000), (5000, 5000), (9500, 500)}


def test_a_slow_variant_is_flagged_off_before_it_grows(world):
    world.apply("rollout-dpp.yaml")
    world.until(
        lambda w: w.status.phase is Phase.FLAGGED_OFF,
        lambda: world.block("dpp-v1", candidate_seconds=0.2, bad=2, good=8),
        limit=20,
    )
    world.turn()

    assert world.shares() == (Share(Arm.STABLE, "uniform-v1", 10_000),)
    assert "latency-p90 harmful" in world.status.flagged_off[-1].message
    assert EventReason.FLAGGED_OFF in world.reasons()


def test_shadow_catches_a_slow_variant_before_any_user_meets_it(world):
    world.apply("rollout-aks.yaml")
    world.until(
        lambda w: w.status.phase is Phase.FLAGGED_OFF,
        lambda: world.block("aks-v1", candidate_seconds=0.2, bad=0, good=0),
        limit=20,
    )

    assert all(not isinstance(e, SetSplit) or e.shares[0].arm is not Arm.CANDIDATE for e in world.applied)


def test_a_flagged_off_variant_stays_off_when_the_same_file_is_applied_again(world):
    test_a_slow_variant_is_flagged_off_before_it_grows(world)
    world.apply("rollout-dpp.yaml")
    for _ in range(5):
        world.good_block("dpp-v1")
        world.turn()

    assert world.status.phase is Phase.FLAGGED_OFF
    assert world.weight(Arm.CANDIDATE) == 0


def test_a_new_revision_of_a_flagged_off_variant_gets_a_run_of_its_own(world):
    test_a_slow_variant_is_flagged_off_before_it_grows(world)
    world.revisions["dpp-v1"] = "r2"
    world.turn()

    assert world.status.candidate_variant == "dpp-v1"
    assert world.status.gates[0].verdict is Verdict.UNMEASURED


def test_deciding_twice_is_deciding_once(world):
    world.to_canary()
    world.good_block()
    seen = world.seen()
    first = decide(world.rollout, seen)
    again = decide(world.rollout.model_copy(update={"status": first.status}), seen)

    assert again.status == first.status
    assert not any(isinstance(effect, Announce) for effect in again.effects)


def test_a_drifted_split_is_repaired(world):
    world.to_canary()
    wanted = world.shares()
    world.split = SplitSeen((Share(Arm.STABLE, "uniform-v1", 10_000),), "drift")
    world.turn()

    assert world.shares() == wanted


def test_an_unseen_split_is_not_written(world):
    world.to_canary()
    world.split = Unseen("connection refused")
    world.applied.clear()
    world.good_block = lambda *_: None
    world.turn()

    assert not any(isinstance(effect, SetSplit | DrainVariant) for effect in world.applied)
    assert "cannot be seen" in world.status.reason


def test_conditions_say_the_same_in_kubernetes_words(world: object, fork: Callable) -> None:
    world.to_canary()
    said = {condition.type: condition.status for condition in world.status.conditions}

    assert said == {
        "Ready": "False", "Progressing": "True", "Degraded": "False", "Stalled": "False", "Measured": "True",
        "SampleRatio": "Unknown", "Killed": "False", "Applied": "True",
    }  # fmt: skip
    assert all(c.observed_generation == world.rollout.metadata.generation for c in world.status.conditions)

"""What the split permits beside its shares is kept as the spec asks, and for a candidate alone; and its salt is one."""

import pytest

from pitwall_crds.names import FULL_WEIGHT, Arm, copies_salt, run_of
from pitwall_crds.rollout.fallback import CandidateFallback
from pitwall_crds.rollout.rollout import Stage
from pitwall_flags.flag.document import ArmShare, shadow_document, split_document
from pitwall_operator.values.effects import SetSplit
from pitwall_operator.values.observation import Share, SplitSeen


def canary(world):
    world.apply("rollout-aks.yaml")
    world.want(stages=(Stage(weight_basis_points=2000, min_seconds=9999), Stage(weight_basis_points=10_000)))
    return world.until(lambda w: w.weight(Arm.CANDIDATE) == 2000, lambda: None)


def test_a_candidate_may_answer_for_stable_only_where_the_rollout_says_so(world):
    canary(world)
    before = world.split
    world.want(candidate_fallback=CandidateFallback(questions_per_pod=3))
    world.turn()

    assert before.candidate_fallback == 0
    assert world.split.candidate_fallback == 3
    assert world.split.shares == before.shares


def test_an_edit_of_the_permission_alone_moves_nobody_and_is_written_once(world):
    canary(world).want(candidate_fallback=CandidateFallback())
    world.turn()
    written = len(world.applied)
    world.turn()
    world.want(candidate_fallback=None)
    world.turn()
    world.turn()

    assert [effect for effect in world.applied[written:] if isinstance(effect, SetSplit)] == world.applied[written:]
    assert len(world.applied) == written + 1
    assert world.split.candidate_fallback == 0


def test_the_permission_ends_with_the_candidate(world):
    canary(world).want(candidate_fallback=CandidateFallback())
    world.turn()
    world.point_at("uniform-v1")
    for _ in range(3):
        world.turn()

    assert world.split.candidate_fallback == 0
    assert world.weight(Arm.CANDIDATE) == 0


@pytest.mark.parametrize("length", [1, 64, 65, 128])
def test_however_long_a_flags_name_is_its_split_can_be_written_before_its_first_run(cold_world, length):
    cold_world.pods_become_ready = True
    cold_world.want(flag="f" * length)
    cold_world.until(lambda w: w.weight(Arm.STABLE) == FULL_WEIGHT, lambda: None)

    salt = cold_world.split.salt
    assert split_document([ArmShare("stable", "uniform-v1", FULL_WEIGHT)], salt=salt)
    assert shadow_document("", 0, salt=copies_salt(salt, "f" * length))
    assert run_of(copies_salt("0123456789abcdef", "f" * length)) == "0123456789abcdef"


@pytest.mark.parametrize("odd", ["", "Aks V1", "v" * 64])
def test_a_split_that_names_what_can_be_no_variant_is_written_anew(world, odd):
    canary(world)
    run = world.split.salt
    world.split = SplitSeen((Share(Arm.CANDIDATE, odd, 5000), Share(Arm.STABLE, "uniform-v1", 5000)), run)
    world.turn()
    world.turn()

    assert world.weight(Arm.CANDIDATE) == 2000
    assert [share.variant for share in world.shares()] == ["aks-v1", "uniform-v1", "uniform-v1"]

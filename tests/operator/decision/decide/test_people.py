"""What people ask for: verbs, the kill switch, pauses, schedules, another variant."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from pitwall_crds.names import Arm, EventReason
from pitwall_crds.resource import Reference
from pitwall_crds.rollout.action import Action, Verb
from pitwall_crds.rollout.rollout import Experiment, ShadowStage
from pitwall_crds.rollout.schedule import Day, Schedule, Window
from pitwall_crds.rollout.status import Phase
from pitwall_operator.decision.decide import decide
from pitwall_operator.decision.goal.wanted import wanted
from pitwall_operator.values.effects import SetSplit
from pitwall_operator.values.observation import ShadowSeen, Share, SplitSeen


def test_pause_holds_the_stage_but_harm_still_flags_off(world):
    world.to_canary()
    world.want(paused=True)
    stage = world.status.stage_index
    for _ in range(60):
        world.good_block()
        world.turn()
    assert world.status.stage_index == stage
    assert world.status.reason == "paused"

    world.until(
        lambda w: w.status.phase is Phase.FLAGGED_OFF,
        lambda: world.block("aks-v1", candidate_seconds=0.5, bad=2, good=8),
    )


def raised_stages(world):
    first, last = world.rollout.spec.stages[world.status.stage_index], world.rollout.spec.stages[-1]
    world.want(stages=(first.model_copy(update={"weight_basis_points": 4000}), last))


def promoted_in_full(world):
    world.want(action=Action(id="all", verb=Verb.PROMOTE, full=True))


def approved(world):
    world.want(action=Action(id="on", verb=Verb.PROMOTE))


def edited(world):
    world.edit("aks-v1", "r2")


@pytest.mark.parametrize("change", [raised_stages, promoted_in_full, approved, edited])
def test_a_pause_holds_the_split_whatever_is_edited_or_asked_for_until_it_ends(world, change):
    world.to_canary()
    before = world.weight(Arm.CANDIDATE)
    world.want(paused=True)
    world.turn()
    change(world)
    for _ in range(20):
        world.turn()
        assert world.weight(Arm.CANDIDATE) <= before
    assert world.status.candidate_variant == "aks-v1"
    assert world.status.reason == "paused"

    world.want(paused=False)
    world.until(lambda w: w.weight(Arm.CANDIDATE) > before or w.status.stable_variant == "aks-v1", world.good_block)


def test_a_run_that_begins_in_a_pause_gets_no_users_until_it_ends(world):
    world.apply("rollout-aks.yaml")
    world.want(paused=True, stages=world.rollout.spec.stages[1:])
    for _ in range(5):
        world.turn()
    assert world.shares() == (Share(Arm.STABLE, "uniform-v1", 10_000),)
    assert (world.status.candidate_variant, world.status.reason) == ("aks-v1", "paused")

    world.want(paused=False)
    for _ in range(3):
        world.turn()
    assert world.weight(Arm.CANDIDATE) == 100


def test_a_pause_changes_no_pods(world):
    world.to_canary()
    raised_stages(world)
    variants = {name: replace(variant, full_replicas=10) for name, variant in world.seen().variants.items()}
    seen, spec = replace(world.seen(), variants=variants), world.rollout.spec
    paused = wanted(spec.model_copy(update={"paused": True}), world.status, seen)

    assert paused.pools == wanted(spec, world.status, seen).pools
    assert paused.shares == world.shares()


@pytest.mark.parametrize(
    ("verb", "phase"),
    [pytest.param(Verb.ABORT, Phase.ABORTED, id="abort-takes-the-candidate-off"),
     pytest.param(Verb.PROMOTE, Phase.CANARY, id="promote-goes-on-without-proof")],
)  # fmt: skip
def test_actions(world, verb, phase):
    world.apply("rollout-aks.yaml")
    world.turn()
    world.want(action=Action(id="1", verb=verb, actor="ada"))
    for _ in range(4):
        world.turn()

    assert world.status.phase is phase


def test_the_way_back_after_an_abort_says_who_asked_for_it_whatever_else_is_wrong_with_the_variant(world):
    world.to_canary()
    world.want(action=Action(id="1", verb=Verb.ABORT, actor="ada"))
    seen = world.seen()
    broken = replace(seen.variants["aks-v1"], invalid="spec.runtime.template … " * 500)
    decision = decide(world.rollout, replace(seen, variants={**seen.variants, "aks-v1": broken}))

    [split] = [effect for effect in decision.effects if isinstance(effect, SetSplit)]
    assert [(share.arm, share.variant) for share in split.shares] == [(Arm.STABLE, "uniform-v1")]
    assert split.why == "ada asked for it"


def test_an_action_is_carried_out_once(world):
    world.apply("rollout-aks.yaml")
    world.turn()
    world.want(action=Action(id="1", verb=Verb.ABORT))
    world.turn()
    world.want(action=Action(id="2", verb=Verb.RETRY))
    for _ in range(5):
        world.turn()
    assert world.status.phase is Phase.SHADOW

    assert world.reasons().count(EventReason.ABORTED) == 1


def test_a_retry_is_a_run_of_its_own_with_evidence_of_its_own(world):
    world.to_canary()
    before = world.status.run_id
    world.want(action=Action(id="1", verb=Verb.ABORT))
    world.turn()
    world.want(action=Action(id="2", verb=Verb.RETRY))
    world.turn()

    assert world.status.run_id not in ("", before)
    assert all(gate.state["totals"]["arms"][1] == [0, 0, "0.0"] for gate in world.status.gates)


def test_the_kill_switch_takes_the_candidate_off_and_nobody_fights_it(world):
    world.to_canary()
    world.split = SplitSeen((Share(Arm.STABLE, "uniform-v1", 10_000),), "s", killed="version 9")
    world.applied.clear()
    for _ in range(3):
        world.turn()

    assert world.status.phase is Phase.ABORTED
    assert not any(isinstance(effect, SetSplit) for effect in world.applied)


def test_a_missing_variant_is_named_with_a_remedy(world):
    world.revisions.pop("aks-v1")
    world.apply("rollout-aks.yaml")
    world.turn()

    assert "'aks-v1' does not exist" in world.status.reason
    assert world.shares() == (Share(Arm.STABLE, "uniform-v1", 10_000),)


def test_a_candidate_whose_resource_is_deleted_is_withdrawn(world):
    world.to_canary()
    world.revisions.pop("aks-v1")
    world.turn()

    assert world.shares() == (Share(Arm.STABLE, "uniform-v1", 10_000),)
    assert "does not exist" in world.status.reason
    assert world.condition("Ready") == ("False", "VariantMissing")


def test_an_experiment_gets_copies_while_it_is_declared(world):
    world.want(experiments=(Experiment(variant_ref=Reference(name="dpp-v1"), shadow=ShadowStage(percent=5)),))
    for _ in range(2):
        world.turn()
    assert world.experiments == {"dpp-v1": ShadowSeen("dpp-v1", 5)}
    assert world.shares() == (Share(Arm.STABLE, "uniform-v1", 10_000),)

    world.want(experiments=())
    for _ in range(3):
        world.turn()
    assert world.experiments == {"dpp-v1": ShadowSeen()}
    assert not world.pools["dpp-v1"]
    assert world.status.experiments == ()


def test_an_experiment_without_pods_gets_no_copies(world):
    world.pods_become_ready = False
    world.want(experiments=(Experiment(variant_ref=Reference(name="dpp-v1")),))
    for _ in range(3):
        world.turn()

    assert world.experiments == {}


def test_a_rollout_that_is_refused_moves_nothing(world):
    world.to_canary()
    world.refused = "the flag is moved by another"
    world.applied.clear()
    world.pools.clear()
    world.turn()

    assert world.applied == []
    assert world.condition("Ready") == ("False", EventReason.INVALID)


def closed_schedule(now: float) -> Schedule:
    """Open from tomorrow on, one hour a week."""
    tomorrow = Day[f"{datetime.fromtimestamp(now, UTC) + timedelta(days=1):%A}".upper()]
    return Schedule(windows=(Window(days=(tomorrow,), start_time="09:00", end_time="10:00"),))


def test_outside_of_its_schedule_a_run_does_not_begin(world):
    world.apply("rollout-aks.yaml")
    world.want(schedule=closed_schedule(world.now))
    world.turn()

    assert world.status.candidate_variant == ""
    assert world.condition("Ready") == ("False", "OutsideSchedule")


def test_outside_of_its_schedule_a_stage_goes_on_but_does_not_end(world):
    world.to_canary()
    weight = world.weight(Arm.CANDIDATE)
    world.want(schedule=closed_schedule(world.now))
    for _ in range(60):
        world.good_block()
        world.turn()

    assert world.weight(Arm.CANDIDATE) == weight
    assert "the next window opens" in world.status.reason


def test_who_approved_a_stage_is_in_the_history(world):
    world.apply("rollout-aks.yaml")
    world.turn()
    world.want(action=Action(id="1", verb=Verb.PROMOTE, actor="ada"))
    world.turn()

    assert [entry.message for entry in world.status.history if entry.reason == EventReason.APPROVED] == [
        "ada approved going on after stage shadow"
    ]


def test_asking_for_the_stable_variant_again_withdraws_the_candidate(world):
    world.to_canary()
    world.apply("rollout.yaml")
    for _ in range(3):
        world.turn()

    assert world.status.phase is Phase.STABLE
    assert world.shares() == (Share(Arm.STABLE, "uniform-v1", 10_000),)

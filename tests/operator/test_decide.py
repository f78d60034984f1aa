"""The decision core against worlds that obey at once."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from pitwall_crds.names import Arm, EventReason
from pitwall_crds.resource import Reference
from pitwall_crds.rollout import Action, Experiment, OnInconclusive, ShadowStage, Verb
from pitwall_crds.schedule import Day, Schedule, Window
from pitwall_crds.status import Phase, Verdict
from pitwall_operator.analyze import LAST_MARGIN, stage_context
from pitwall_operator.decide import decide
from pitwall_operator.effects import Announce, DrainVariant, SetSplit
from pitwall_operator.observation import Pool, PoolSeen, ShadowSeen, Share, SplitSeen, Unseen

REVISION = "r1"


def reasons(world) -> list[str]:
    return [entry.reason for entry in world.status.history]


def condition(world, kind: str) -> tuple[str, str]:
    return next((c.status, c.reason) for c in world.status.conditions if c.type == kind)


def to_canary(world):
    world.apply("rollout-aks.yaml")
    return world.until(lambda w: w.weight(Arm.CANDIDATE) > 0, world.good_block)


def test_the_first_variant_serves_everybody_once_it_is_ready(world):
    assert world.status.phase is Phase.STABLE
    assert world.shares() == (Share(Arm.STABLE, "uniform-v1", 10_000),)


def test_traffic_waits_for_the_first_variants_pods(cold_world):
    for _ in range(3):
        cold_world.turn()

    assert cold_world.shares() == ()
    assert condition(cold_world, "Ready") == ("False", "Waiting")
    assert "waiting for capacity: uniform-v1 (main) has 0 of 1 replicas ready" in cold_world.status.reason


def test_a_good_variant_goes_through_every_stage_and_becomes_stable(world):
    world.apply("rollout-aks.yaml")
    weights = []
    world.until(
        lambda w: w.status.stable_variant == "aks-v1",
        lambda: (weights.append(world.weight(Arm.CANDIDATE)), world.good_block()),
    )
    world.turn()

    assert condition(world, "Ready") == ("True", "Stable")
    assert [w for i, w in enumerate(weights) if i == 0 or weights[i - 1] != w] == [0, 100, 1000, 5000, 10_000]
    assert world.shares() == (Share(Arm.STABLE, "aks-v1", 10_000),)
    assert world.status.phase is Phase.STABLE


def test_the_control_is_as_large_as_the_candidate_while_there_is_room(world):
    seen = set()
    world.apply("rollout-aks.yaml")
    world.until(
        lambda w: w.status.stable_variant == "aks-v1",
        lambda: (seen.add((world.weight(Arm.CANDIDATE), world.weight(Arm.CONTROL))), world.good_block()),
    )

    assert seen == {(0, 0), (100, 100), (1000, 1000), (5000, 5000), (10_000, 0)}


def test_old_pools_are_drained_after_promotion(world):
    to_canary(world)
    world.until(lambda w: w.status.stable_variant == "aks-v1", world.good_block)
    for _ in range(3):
        world.turn()

    assert DrainVariant("uniform-v1", Pool.MAIN) in world.applied
    assert DrainVariant("uniform-v1", Pool.CONTROL) in world.applied
    assert [name for name, pools in world.pools.items() if pools] == ["aks-v1"]


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
    assert EventReason.FLAGGED_OFF in reasons(world)


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


def test_nothing_measured_is_neither_good_nor_bad(world):
    to_canary(world)
    before = world.shares()
    world.blind = "http://127.0.0.1:1/metrics cannot be read"
    for _ in range(50):
        world.turn()

    assert world.shares() == before
    assert world.status.verdict is Verdict.UNMEASURED
    assert "not measured" in world.status.reason


def test_measuring_again_heals_by_itself(world):
    test_nothing_measured_is_neither_good_nor_bad(world)
    world.blind = ""

    world.until(lambda w: w.status.stable_variant == "aks-v1", world.good_block)


def test_no_traffic_proves_nothing(world):
    world.apply("rollout-aks.yaml")
    for _ in range(100):
        world.turn()

    assert world.status.phase is Phase.SHADOW
    assert world.status.verdict is Verdict.UNMEASURED


def test_evidence_survives_a_restart_at_every_turn(world, fork):
    """Deciding from a status that went through JSON gives the same decision as from the one in memory."""
    world.apply("rollout-aks.yaml")
    while world.status.stable_variant != "aks-v1":
        world.good_block()
        restarted = fork(world)
        expected, actual = world.turn(), restarted.turn()

        assert actual == expected


def test_counts_of_the_time_without_an_operator_are_not_lost(world, fork):
    to_canary(world)
    sleeper = fork(world)
    world.good_block()
    world.turn()
    world.good_block()
    world.turn()
    sleeper.counters = world.counters
    sleeper.turn(2.0)

    trials = [g.state["totals"] for g in world.status.gates]
    assert [g.state["totals"] for g in sleeper.status.gates] == trials


def test_deciding_twice_is_deciding_once(world):
    to_canary(world)
    world.good_block()
    seen = world.seen()
    first = decide(world.rollout, seen)
    again = decide(world.rollout.model_copy(update={"status": first.status}), seen)

    assert again.status == first.status
    assert not any(isinstance(effect, Announce) for effect in again.effects)


def test_pause_holds_the_stage_but_harm_still_flags_off(world):
    to_canary(world)
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


def test_a_drifted_split_is_repaired(world):
    to_canary(world)
    wanted = world.shares()
    world.split = SplitSeen((Share(Arm.STABLE, "uniform-v1", 10_000),), "drift")
    world.turn()

    assert world.shares() == wanted


def test_a_dead_pool_is_run_again(world):
    to_canary(world)
    world.pools["aks-v1"] = {}
    world.turn()

    assert world.pools["aks-v1"][Pool.MAIN].desired == 1


def test_a_control_pool_that_stands_in_for_a_dead_main_pool_is_not_drained(world):
    to_canary(world)
    main = world.pools["uniform-v1"][Pool.MAIN]
    world.pools["uniform-v1"][Pool.MAIN] = replace(main, ready=0)
    world.want(action=Action(id="1", verb=Verb.ABORT))
    for _ in range(4):
        world.turn()
    assert Pool.CONTROL in world.pools["uniform-v1"]

    world.pools["uniform-v1"][Pool.MAIN] = main
    world.turn()
    assert Pool.CONTROL not in world.pools["uniform-v1"]


def test_an_unseen_split_is_not_written(world):
    to_canary(world)
    world.split = Unseen("connection refused")
    world.applied.clear()
    world.good_block = lambda *_: None
    world.turn()

    assert not any(isinstance(effect, SetSplit | DrainVariant) for effect in world.applied)
    assert "cannot be seen" in world.status.reason


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


def test_an_action_is_carried_out_once(world):
    world.apply("rollout-aks.yaml")
    world.turn()
    world.want(action=Action(id="1", verb=Verb.ABORT))
    world.turn()
    world.want(action=Action(id="2", verb=Verb.RETRY))
    for _ in range(5):
        world.turn()
    assert world.status.phase is Phase.SHADOW

    assert reasons(world).count(EventReason.ABORTED) == 1


def test_the_kill_switch_takes_the_candidate_off_and_nobody_fights_it(world):
    to_canary(world)
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
    assert world.pools["uniform-v1"][Pool.MAIN].revision == REVISION
    assert world.pools["uniform-v1"][Pool.CANDIDATE].revision == "r2"


def test_a_promoted_edit_serves_from_its_own_pods_until_the_main_pool_runs_it(world):
    edited(world)
    world.until(lambda w: w.weight(Arm.CANDIDATE) == 10_000, lambda: world.good_block("uniform-v1", "uniform-v1"))
    world.pods_become_ready = False
    world.until(lambda w: w.status.stable_revision == "r2", lambda: world.good_block("uniform-v1", "uniform-v1"))
    assert world.pools["uniform-v1"][Pool.MAIN] == PoolSeen("r2", desired=1, ready=0)
    assert world.weight(Arm.CANDIDATE) == 10_000
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
    assert (world.status.stable_variant, world.status.stable_revision) == ("uniform-v1", REVISION)
    assert world.pools["uniform-v1"][Pool.MAIN].revision == REVISION


def test_a_candidate_whose_revision_is_not_ready_gets_no_traffic(world):
    world.apply("rollout-dpp.yaml")
    world.pools["dpp-v1"] = {Pool.MAIN: PoolSeen("older", desired=1, ready=1)}
    world.pods_become_ready = False
    for _ in range(3):
        world.turn()

    assert world.weight(Arm.CANDIDATE) == 0
    assert "waiting for capacity" in world.status.reason


def test_a_candidate_whose_resource_is_deleted_is_withdrawn(world):
    to_canary(world)
    world.revisions.pop("aks-v1")
    world.turn()

    assert world.shares() == (Share(Arm.STABLE, "uniform-v1", 10_000),)
    assert "does not exist" in world.status.reason
    assert condition(world, "Ready") == ("False", "VariantMissing")


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
    to_canary(world)
    world.refused = "the flag is moved by another"
    world.applied.clear()
    world.pools.clear()
    world.turn()

    assert world.applied == []
    assert condition(world, "Ready") == ("False", EventReason.INVALID)


def test_pods_of_a_variant_that_was_taken_off_are_kept_for_a_while(world):
    to_canary(world)
    world.want(scale_down_delay_seconds=60, action=Action(id="1", verb=Verb.ABORT))
    for _ in range(5):
        world.turn(seconds=10)
    assert world.pools["aks-v1"]

    world.turn(seconds=20)
    assert not world.pools["aks-v1"]


@pytest.mark.parametrize("seconds", [-3600.0, 3600.0])
def test_a_clock_that_jumps_neither_stalls_nor_decides(world, seconds):
    to_canary(world)
    world.now += seconds
    weight = world.weight(Arm.CANDIDATE)
    world.turn()
    assert world.weight(Arm.CANDIDATE) in (weight, 1000)

    world.until(lambda w: w.status.stable_variant == "aks-v1", world.good_block)


def closed_schedule(now: float) -> Schedule:
    """Open from tomorrow on, one hour a week."""
    tomorrow = Day[f"{datetime.fromtimestamp(now, UTC) + timedelta(days=1):%A}".upper()]
    return Schedule(windows=(Window(days=(tomorrow,), start_time="09:00", end_time="10:00"),))


def test_outside_of_its_schedule_a_run_does_not_begin(world):
    world.apply("rollout-aks.yaml")
    world.want(schedule=closed_schedule(world.now))
    world.turn()

    assert world.status.candidate_variant == ""
    assert condition(world, "Ready") == ("False", "OutsideSchedule")


def test_outside_of_its_schedule_a_stage_goes_on_but_does_not_end(world):
    to_canary(world)
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
    to_canary(world)
    world.apply("rollout.yaml")
    for _ in range(3):
        world.turn()

    assert world.status.phase is Phase.STABLE
    assert world.shares() == (Share(Arm.STABLE, "uniform-v1", 10_000),)


def test_candidate_traffic_waits_for_candidate_pods(world):
    world.apply("rollout-dpp.yaml")
    world.pods_become_ready = False
    for _ in range(5):
        world.turn()

    assert world.weight(Arm.CANDIDATE) == 0
    assert "waiting for capacity" in world.status.reason


def test_an_inconclusive_deadline_holds_by_default(world):
    stages = [stage.model_copy(update={"max_seconds": 10}) for stage in world.rollout.spec.stages]
    world.apply("rollout-aks.yaml")
    world.want(stages=tuple(stages))
    for _ in range(30):
        world.turn()

    assert world.status.phase is Phase.SHADOW
    assert "deadline" in world.status.reason


def overdue_in_canary(world, on_inconclusive: OnInconclusive):
    """A candidate whose first stage ended in time without proof: a single block of evidence."""
    world.apply("rollout-dpp.yaml")
    stages = [stage.model_copy(update={"min_seconds": 3, "max_seconds": 40}) for stage in world.rollout.spec.stages]
    world.want(stages=tuple(stages), on_inconclusive=on_inconclusive)
    world.until(lambda w: w.weight(Arm.CANDIDATE) > 0, lambda: None)
    for _ in range(12):
        world.turn()
    world.good_block("dpp-v1")
    for _ in range(4):
        world.turn()
    return world


@pytest.mark.parametrize(
    ("on_inconclusive", "phase", "stage"),
    [(OnInconclusive.HOLD, Phase.CANARY, 0), (OnInconclusive.FLAG_OFF, Phase.FLAGGED_OFF, 0),
     (OnInconclusive.PROMOTE, Phase.CANARY, 1)],
)  # fmt: skip
def test_what_is_inconclusive_at_the_deadline_goes_as_asked(world, on_inconclusive, phase, stage):
    overdue_in_canary(world, on_inconclusive)
    assert world.status.verdict is Verdict.INCONCLUSIVE
    world.until(lambda w: "deadline" in str(w.status), lambda: None)

    assert (world.status.phase, world.status.stage_index) == (phase, stage)


@pytest.mark.parametrize("on_inconclusive", list(OnInconclusive))
@pytest.mark.parametrize("blind", ["Prometheus does not answer", ""])
def test_what_could_not_be_measured_is_held_whatever_the_deadline_asks(world, on_inconclusive, blind):
    world.apply("rollout-dpp.yaml")
    stages = [stage.model_copy(update={"min_seconds": 3, "max_seconds": 10}) for stage in world.rollout.spec.stages]
    world.want(stages=tuple(stages), on_inconclusive=on_inconclusive)
    world.blind = blind
    for _ in range(40):
        world.turn()

    assert (world.status.phase, world.status.stage_index) == (Phase.CANARY, 0)
    assert "deadline" in world.status.reason


def test_conditions_say_the_same_in_kubernetes_words(world: object, fork: Callable) -> None:
    to_canary(world)
    said = {condition.type: condition.status for condition in world.status.conditions}

    assert said == {
        "Ready": "False", "Progressing": "True", "Degraded": "False", "Stalled": "False", "Measured": "True",
        "SampleRatio": "Unknown",
    }  # fmt: skip
    assert all(c.observed_generation == world.rollout.metadata.generation for c in world.status.conditions)


def test_the_last_stage_with_a_control_uses_the_last_margin(world):
    """A bake has no control to be compared with, so the tightest margin must be asked before it."""
    world.apply("rollout-aks.yaml")
    world.until(lambda w: w.weight(Arm.CANDIDATE) == 1000, world.good_block)
    assert stage_context(world.rollout.spec, world.status).canary_index == 1

    world.until(lambda w: w.weight(Arm.CANDIDATE) == 5000, world.good_block)
    assert stage_context(world.rollout.spec, world.status).canary_index == LAST_MARGIN


def test_a_tail_beyond_the_last_bucket_is_not_measured_rather_than_innocent(world):
    world.counters.latencies.clear()
    world.counters.serve("uniform-v1", Arm.STABLE, 60.0, 500)
    world.apply("rollout-dpp.yaml")
    for _ in range(5):
        world.counters.serve("dpp-v1", Arm.CANDIDATE, 300.0, 20)
        world.turn()
    (latency,) = [gate for gate in world.status.gates if gate.name == "latency-p90"]

    assert latency.verdict is Verdict.UNMEASURED
    assert "beyond the last bucket edge (65.54 s)" in latency.message


def test_a_threshold_waits_for_enough_of_the_stable_variants_history(world):
    world.counters.latencies.clear()
    world.counters.serve("uniform-v1", Arm.STABLE, 0.01, 30)
    world.apply("rollout-dpp.yaml")
    for _ in range(5):
        world.turn()

    assert "uniform-v1 has answered 30 of the 100 queries" in world.status.reason


def test_labels_that_come_late_are_weighed_only_once_all_could_have_arrived(world):
    world.apply("rollout-dpp.yaml")
    gates = tuple(
        gate.model_copy(update={"rate": gate.rate.model_copy(update={"label_delay_seconds": 30})})
        if gate.name == "thumbs-down"
        else gate
        for gate in world.rollout.spec.analysis.gates
    )
    world.want(analysis=world.rollout.spec.analysis.model_copy(update={"gates": gates}))
    world.until(lambda w: w.weight(Arm.CANDIDATE) > 0, lambda: None)
    for _ in range(25):
        world.good_block("dpp-v1")
        world.turn()
    weighed = {gate.name: gate.state["totals"]["arms"][1][0] for gate in world.status.gates}

    assert weighed["thumbs-down"] == 0
    assert weighed["follow-up"] > 0

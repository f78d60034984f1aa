"""What is measured and what is not: missing data, restarts, clocks, deadlines, margins, thresholds, late labels."""

import pytest

from pitwall_crds.names import Arm
from pitwall_crds.rollout.action import Verb
from pitwall_crds.rollout.rollout import OnInconclusive
from pitwall_crds.rollout.status import Phase, Verdict
from pitwall_operator.decision.weighing.analyze import LAST_MARGIN, stage_context
from pitwall_operator.evidence.basis.counts import Tally


def test_nothing_measured_is_neither_good_nor_bad(world):
    world.to_canary()
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
    world.to_canary()
    sleeper = fork(world)
    world.good_block()
    world.turn()
    world.good_block()
    world.turn()
    sleeper.counters = world.counters
    sleeper.turn(2.0)

    trials = [g.state["totals"] for g in world.status.gates]
    assert [g.state["totals"] for g in sleeper.status.gates] == trials


@pytest.mark.parametrize("seconds", [-3600.0, 3600.0])
def test_a_clock_that_jumps_neither_stalls_nor_decides(world, seconds):
    world.to_canary()
    world.now += seconds
    weight = world.weight(Arm.CANDIDATE)
    world.turn()
    assert world.weight(Arm.CANDIDATE) in (weight, 1000)

    world.until(lambda w: w.status.stable_variant == "aks-v1", world.good_block)


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

    assert "30 answers of uniform-v1 count, within its users' shares, of the 100 that" in world.status.reason


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


def test_answers_are_compared_with_all_of_stable_and_pods_with_a_control_on_its_own(world):
    world.to_canary()
    assert world.rollout.spec.control.dedicated
    counts = {}
    while len(counts) < len(world.rollout.spec.analysis.gates):
        world.good_block()
        counts = world.turn().judgement.counts

    shared = {name: seen.shared for name, seen in counts.items()}
    assert shared == {"latency-p90": False, "errors": False, "thumbs-down": True, "follow-up": True}


@pytest.mark.parametrize("dedicated", [True, False])
def test_how_cold_a_control_is_matters_where_it_has_pods_of_its_own(world, dedicated):
    world.apply("rollout-aks.yaml")
    world.want(control=world.rollout.spec.control.model_copy(update={"dedicated": dedicated}))
    world.until(lambda world: world.weight(Arm.CANDIDATE) > 0, world.good_block)
    counts = {}
    for _ in range(9):
        world.good_block()
        world.counters.cached("uniform-v1", Arm.CONTROL, cold=9, warm=1)
        counts = counts or world.turn().judgement.counts

    assert counts["latency-p90"].caches.control.rate == (0.9 if dedicated else 0)
    assert counts["errors"].caches.control == Tally()


@pytest.fixture
def cold_beside_a_control(world):
    """A candidate of which all is proven but what its control, whose pods stay cold, would have to prove."""
    world.apply("rollout-aks.yaml")
    stages = [stage.model_copy(update={"min_seconds": 3, "max_seconds": 60}) for stage in world.rollout.spec.stages]
    world.want(stages=tuple(stages))
    world.until(lambda world: world.weight(Arm.CANDIDATE) > 0, world.good_block)

    def block():
        world.good_block()
        for variant, arm, cold in (("uniform-v1", Arm.CONTROL, 9), ("aks-v1", Arm.CANDIDATE, 1)):
            world.counters.cached(variant, arm, cold=cold, warm=10 - cold)
        world.counters.cached("uniform-v1", Arm.STABLE, cold=1, warm=9)

    return block


def test_a_control_that_stays_cold_holds_and_says_what_helps(world, cold_beside_a_control):
    for _ in range(50):
        cold_beside_a_control()
        world.turn()

    assert (world.status.phase, world.status.stage_index) == (Phase.CANARY, 1)
    assert world.status.reason.startswith(
        "latency-p90: the control's pods are still warming up (90.0% of its questions"
    )
    assert "give them time, a shared control or pitwall promote" in world.status.reason
    told = {one.type: one.message for one in world.status.conditions}
    assert told["Progressing"].startswith(world.status.reason)
    world.ask(Verb.PROMOTE)
    world.turn()
    assert world.status.stage_index == 2


@pytest.mark.parametrize("on_inconclusive", list(OnInconclusive))
def test_a_deadline_speaks_neither_for_nor_against_a_candidate_whose_control_stays_cold(
    world, cold_beside_a_control, on_inconclusive
):
    world.want(on_inconclusive=on_inconclusive)
    for _ in range(80):
        cold_beside_a_control()
        world.turn()

    assert (world.status.phase, world.status.stage_index) == (Phase.CANARY, 1)
    assert world.status.verdict is Verdict.INCONCLUSIVE
    assert world.status.reason.startswith("deadline of 60 s passed without proof (latency-p90: the control's pods are")
    assert "pitwall promote" in world.status.reason
    assert world.status.flagged_off == ()


def test_harm_is_found_beside_a_control_that_stays_cold(world, cold_beside_a_control):
    for _ in range(60):
        cold_beside_a_control()
        world.counters.serve("aks-v1", Arm.CANDIDATE, 5.0, 20)
        world.turn()

    assert (world.status.phase, world.status.flagged_off[-1].gate) == (Phase.FLAGGED_OFF, "latency-p90")

"""What the infrastructure does to an arm's pods is unmeasured; what an application does to itself is harm."""

from dataclasses import replace

import pytest

from pitwall_crds.names import Arm, Pool
from pitwall_crds.rollout.gate import Gate
from pitwall_crds.rollout.rollout import Analysis, Control, ShadowStage, Stage
from pitwall_crds.rollout.status import Phase, Verdict

ERRORS = {"name": "errors", "rate": {"metric": "Errors"}, "absoluteMarginBasisPoints": 1000, "dependence": "Query"}


@pytest.fixture
def failing(world):
    """A canary with a fifth of the users; every question of the candidate fails from now on."""
    world.apply("rollout-aks.yaml")
    world.want(
        stages=(Stage(weight_basis_points=2000, min_seconds=9999), Stage(weight_basis_points=10_000)),
        control=Control(dedicated=True),
        analysis=Analysis(block_seconds=2, gates=(Gate.model_validate(ERRORS),)),
    )
    return world.until(lambda w: w.weight(Arm.CANDIDATE) == 2000, lambda: None)


def serve(world, *, errors: int = 20, blocks: int = 20) -> None:
    for _ in range(blocks):
        world.counters.serve("aks-v1", Arm.CANDIDATE, 0.01, 20, errors=errors)
        world.counters.serve("uniform-v1", Arm.CONTROL, 0.01, 20)
        world.turn(2.0)


def befall(world, variant: str, pool: Pool, **seen: object) -> None:
    world.pools[variant][pool] = replace(world.pools[variant][pool], **seen)


@pytest.mark.parametrize(
    ("variant", "pool"),
    [
        pytest.param("aks-v1", Pool.MAIN, id="the candidate's"),
        pytest.param("uniform-v1", Pool.CONTROL, id="the control's"),
        pytest.param("uniform-v1", Pool.MAIN, id="the stable's"),
    ],
)
def test_a_lost_node_is_not_the_candidates_fault(failing, variant, pool):
    befall(failing, variant, pool, ready=0, fault="pod aks-v1-7f was evicted")
    serve(failing)
    assert (failing.status.phase, failing.status.verdict) == (Phase.CANARY, Verdict.UNMEASURED)
    assert "not measured: " in failing.status.reason
    assert "by no fault of its own: pod aks-v1-7f was evicted" in failing.status.reason

    befall(failing, variant, pool, ready=1, fault="")
    serve(failing, errors=0)
    assert failing.status.flagged_off == ()
    assert failing.status.verdict is not Verdict.UNMEASURED


def test_a_block_that_was_disturbed_at_any_time_of_it_is_not_weighed(failing):
    befall(failing, "aks-v1", Pool.MAIN, ready=0, fault="its node does not answer")
    failing.counters.serve("aks-v1", Arm.CANDIDATE, 0.01, 500, errors=500)
    failing.turn(0.5)
    befall(failing, "aks-v1", Pool.MAIN, ready=1, fault="")
    failing.turn(2.0)
    serve(failing, errors=0, blocks=3)

    assert failing.status.flagged_off == ()
    assert failing.status.gates[0].state["totals"]["arms"][1][:2] == [60, 0]


def test_an_application_that_crashes_by_itself_is_harm(failing):
    befall(failing, "aks-v1", Pool.MAIN, ready=0, trouble="pod aks-v1-7f ended with status 1")
    serve(failing)

    assert failing.status.phase is Phase.FLAGGED_OFF


def test_harm_that_was_proven_before_is_not_forgiven(failing):
    befall(failing, "aks-v1", Pool.MAIN, ready=0)
    failing.until(
        lambda w: w.status.gates[0].verdict is Verdict.HARMFUL or w.status.flagged_off, lambda: serve(failing, blocks=1)
    )
    befall(failing, "aks-v1", Pool.MAIN, fault="its node does not answer")
    failing.turn()

    assert failing.status.phase is Phase.FLAGGED_OFF


def test_pods_that_wait_for_the_next_stage_disturb_nothing(failing):
    befall(failing, "aks-v1", Pool.MAIN, desired=4, ready=1, fault="3 pods start")
    serve(failing)

    assert failing.status.phase is Phase.FLAGGED_OFF


def test_pods_that_somebody_took_away_are_no_harm(failing):
    failing.flags_refuse = True
    for _ in range(10):
        failing.pools["aks-v1"].pop(Pool.MAIN, None)
        failing.counters.serve("aks-v1", Arm.CANDIDATE, 0.01, 20, errors=20)
        failing.turn(2.0)

    assert failing.status.flagged_off == ()


# --- a node is lost, and nobody knows it yet ---

GRACE = 50
"""Seconds after which Kubernetes calls a silent node lost."""


def lose_node(world, variant: str, arm: Arm, *, leaked: int = 0) -> None:
    """One pod, on a node that is lost now: ten questions a second fail. So many have counted as failed before the first
    connection was found silent."""
    world.counters.serve(variant, arm, 0.01, leaked, errors=leaked)
    world.counters.silence[(variant, arm)] = 0.0


def wait(world, seconds: int, *, failing: Arm | None = Arm.CANDIDATE) -> None:
    """A turn every two seconds, ten questions a second on every arm."""
    for _ in range(seconds // 2):
        if world.status.flagged_off:
            return
        for arm, variant in ((Arm.CANDIDATE, "aks-v1"), (Arm.CONTROL, "uniform-v1"), (Arm.STABLE, "uniform-v1")):
            world.counters.serve(variant, arm, 0.01, 20, errors=20 if arm is failing else 0)
        world.turn(2.0)


@pytest.mark.parametrize(
    ("arm", "variant", "pool", "leaked"),
    [(Arm.CANDIDATE, "aks-v1", Pool.MAIN, 5), (Arm.CONTROL, "uniform-v1", Pool.CONTROL, 0)],
)
def test_a_lost_node_is_no_harm_also_before_anybody_knows_that_it_is_lost(failing, arm, variant, pool, leaked):
    wait(failing, 10, failing=None)
    lose_node(failing, variant, arm, leaked=leaked)
    wait(failing, GRACE, failing=arm)
    held = failing.status
    befall(failing, variant, pool, ready=0, fault="pod aks-v1-7f is on a node that does not answer")
    wait(failing, 20, failing=arm)

    assert "not measured: " in held.reason
    assert "not even a machine answered" in held.reason
    assert failing.status.phase is Phase.CANARY, failing.status.reason
    failing.counters.silence.clear()
    befall(failing, variant, pool, ready=1, fault="")
    wait(failing, 20, failing=None)
    assert failing.status.flagged_off == ()
    bad = failing.status.gates[0].state["totals"]["arms"][1][1]
    assert bad <= leaked


def test_pods_that_stay_silent_although_their_node_is_well_are_harm_once_the_platform_had_its_time(failing):
    """A network policy that lets nobody in, say: the platform calls them ready for ever."""
    wait(failing, 10, failing=None)
    lose_node(failing, "aks-v1", Arm.CANDIDATE)
    wait(failing, GRACE)
    assert failing.status.flagged_off == ()

    wait(failing, 60)
    assert failing.status.phase is Phase.FLAGGED_OFF


def test_an_application_that_crashes_while_it_is_silent_is_harm_at_once(failing):
    wait(failing, 10, failing=None)
    lose_node(failing, "aks-v1", Arm.CANDIDATE)
    befall(failing, "aks-v1", Pool.MAIN, ready=0, trouble="pod aks-v1-7f ended with status 1")
    wait(failing, 10)

    assert failing.status.phase is Phase.FLAGGED_OFF


def test_one_that_hangs_is_harm_at_once_since_its_machine_answers(failing):
    wait(failing, 10, failing=None)
    wait(failing, 10)

    assert failing.status.phase is Phase.FLAGGED_OFF


def test_a_lost_connection_now_and_then_delays_the_judgement_and_does_not_prevent_it(failing):
    wait(failing, 10, failing=None)
    for _ in range(8):
        lose_node(failing, "aks-v1", Arm.CANDIDATE)
        wait(failing, 2)
        failing.counters.silence[("aks-v1", Arm.CANDIDATE)] = 30.0
        wait(failing, 28)

    assert failing.status.phase is Phase.FLAGGED_OFF


def test_a_silence_of_the_run_before_says_nothing_of_this_one(failing):
    failing.counters.silence[("aks-v1", Arm.CANDIDATE)] = 500.0
    wait(failing, 30)

    assert failing.status.phase is Phase.FLAGGED_OFF


def test_what_was_proven_before_is_not_forgiven_by_a_silence(failing):
    befall(failing, "aks-v1", Pool.MAIN, ready=1)
    failing.until(
        lambda w: w.status.gates[0].verdict is Verdict.HARMFUL or w.status.flagged_off, lambda: serve(failing, blocks=1)
    )
    lose_node(failing, "aks-v1", Arm.CANDIDATE)
    failing.turn()

    assert failing.status.phase is Phase.FLAGGED_OFF


@pytest.mark.parametrize(("silent", "phase"), [(True, Phase.SHADOW), (False, Phase.FLAGGED_OFF)])
def test_a_lost_node_takes_no_shadow_off_while_one_that_crashes_is_taken_off(world, silent, phase):
    world.apply("rollout-aks.yaml")
    world.want(
        stages=(Stage(shadow=ShadowStage(percent=50), min_seconds=9999), Stage(weight_basis_points=10_000)),
        analysis=world.rollout.spec.analysis.model_copy(update={"block_seconds": 2}),
    )
    world.until(lambda w: w.shadow.percent == 50, lambda: None)
    world.counters.silence = {("aks-v1", Arm.SHADOW): 0.0} if silent else {}
    for seconds in range(0, 90, 3):
        if silent and seconds > GRACE:
            befall(world, "aks-v1", Pool.MAIN, ready=0, fault="pod aks-v1-7f is on a node that does not answer")
        for _ in range(30):
            world.counters.fail_copy("aks-v1")
        world.turn(3.0)

    assert world.status.phase is phase, world.status.reason

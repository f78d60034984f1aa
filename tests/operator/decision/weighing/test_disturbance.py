"""What the infrastructure does to an arm's pods is unmeasured; what an application does to itself is harm."""

from dataclasses import replace

import pytest

from pitwall_crds.gate import Gate
from pitwall_crds.names import Arm, Pool
from pitwall_crds.rollout import Analysis, Control, Stage
from pitwall_crds.status import Phase, Verdict

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

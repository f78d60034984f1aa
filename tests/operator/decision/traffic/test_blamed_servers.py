"""A whole rollout whose candidate blames videos' servers: held in each stage, the bake too, until a person says."""

import pytest

from pitwall_crds.names import Arm
from pitwall_crds.rollout.action import Verb
from pitwall_crds.rollout.rollout import OnInconclusive, Stage
from pitwall_crds.rollout.status import Phase

FAULT = (
    "questions the candidate says the video's server was at fault, or the video not prepared yet; stable answered them"
)
FIRST = Stage(weight_basis_points=2000)
LAST = Stage(weight_basis_points=10_000, min_seconds=5, bake_seconds=20)


@pytest.fixture
def judged(world):
    """Errors alone decide."""
    world.apply("rollout-aks.yaml")
    analysis = world.rollout.spec.analysis
    errors = next(gate for gate in analysis.gates if gate.name == "errors")
    errors = errors.model_copy(update={"absolute_margin_basis_points": 500})
    world.want(analysis=analysis.model_copy(update={"gates": (errors,)}), stages=(FIRST, LAST))
    return world


def block(world, excused: int = 0) -> None:
    for arm, variant in ((Arm.STABLE, "uniform-v1"), (Arm.CONTROL, "uniform-v1"), (Arm.CANDIDATE, "aks-v1")):
        if world.weight(arm):
            world.counters.serve(variant, arm, 0.1, 20)
    if excused:
        world.counters.excuse("aks-v1", Arm.CANDIDATE, excused)


def test_a_candidate_that_begins_to_blame_servers_in_the_bake_is_held_there(judged):
    """A bake asks for no proof, and of this no gate finds any harm: it was promoted."""
    judged.until(lambda w: w.status.phase is Phase.BAKE, lambda: block(judged), limit=200)

    for _ in range(60):
        block(judged, excused=30)
        judged.turn()

    assert judged.status.phase is Phase.BAKE
    assert FAULT in judged.status.reason
    judged.ask(Verb.PROMOTE)
    judged.until(lambda w: w.status.stable_variant == "aks-v1", lambda: block(judged))


def test_what_was_blamed_in_a_stage_that_a_person_passed_holds_no_other(judged):
    """Servers were away for an hour: their questions kept deadlines from speaking until the end of the run."""
    second = Stage(weight_basis_points=4000, min_seconds=5, max_seconds=40)
    judged.want(stages=(FIRST, second, LAST), on_inconclusive=OnInconclusive.FLAG_OFF)
    judged.until(lambda w: w.weight(Arm.CANDIDATE) > 0, lambda: None)
    for _ in range(20):
        block(judged, excused=5)
        judged.turn()
    assert FAULT in judged.status.gates[0].message
    judged.ask(Verb.PROMOTE)
    judged.until(lambda w: w.status.stage_index == 1, lambda: None)

    judged.until(lambda w: w.status.phase is Phase.FLAGGED_OFF, lambda: None, limit=120)

    assert FAULT not in judged.status.gates[0].message
    assert "deadline of 40 s passed without proof" in judged.status.flagged_off[-1].message

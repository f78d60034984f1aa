"""In a whole rollout: objectives that act in the bake, equal arms that differ, and a replay that agrees about both."""

import itertools
import json

import pytest

from pitwall_crds.names import Arm
from pitwall_crds.rollout.gate import Dependence, Gate
from pitwall_crds.rollout.rollout import Analysis
from pitwall_crds.rollout.status import Phase, Verdict
from pitwall_operator.record.explain import evidence
from pitwall_operator.record.lines import evidence_lines
from pitwall_operator.record.replay import replay

LATENCY = {"name": "latency-p90", "quantile": {"metric": "QueryLatency", "perMille": 900}, "marginPercent": 200}
WIDE = {"promoteMarginPercent": [1000], "absoluteMarginBasisPoints": 2500, "dependence": "Query"}
ERRORS = {"name": "errors", "rate": {"metric": "Errors", "objectiveBasisPoints": 1000}}


@pytest.fixture
def guarded(world):
    """A world whose rollout to aks-v1 is gated on a p90 below 500 ms and errors below 10 %."""
    world.apply("rollout-aks.yaml")
    strict = {**LATENCY, "quantile": {**LATENCY["quantile"], "objectiveMilliseconds": 500}}
    gates = tuple(Gate.model_validate({**gate, **WIDE}) for gate in (strict, ERRORS))
    world.want(analysis=Analysis(gates=gates, block_seconds=1))
    return world


def walk(world, serve, *, until, limit=500) -> list:
    """The lines that turns with these blocks leave."""
    written = []
    for _ in range(limit):
        if until(world):
            return json.loads(json.dumps(written))
        serve()
        before = world.rollout
        decision = world.turn()
        written += evidence_lines(before, decision)
    raise AssertionError(f"never happened: {world.status.phase}, {world.status.reason}")


def test_what_is_below_its_objectives_is_promoted_and_replayed(guarded):
    written = walk(guarded, guarded.good_block, until=lambda w: w.status.stable_variant == "aks-v1")
    blocks = list(replay(written))
    names = {reading.name for block in blocks for reading in block.assessments["errors"].readings}

    assert {"objective", "objective-harm", "aa-block", "aa-query"} <= names
    assert [words for block in blocks for words in block.disagreements()] == []
    blocks = [line for line in written if line["kind"] == "block" and "errors" in line["counts"]]
    told = next(line for line in blocks if line["counts"]["errors"]["objective"]["trials"])
    told["counts"]["errors"]["objective"]["bad"] += 1
    assert any("objective" in words for block in replay(written) for words in block.disagreements())


def test_an_objective_is_needed_to_pass(guarded):
    """As slow as the control, and yet beyond what was promised."""

    def slow() -> None:
        for arm, variant in ((Arm.STABLE, "uniform-v1"), (Arm.CONTROL, "uniform-v1"), (Arm.CANDIDATE, "aks-v1")):
            if guarded.weight(arm):
                guarded.counters.serve(variant, arm, 0.01, 18)
                guarded.counters.serve(variant, arm, 0.7, 2)
        guarded.counters.pair("aks-v1", 1.0, 20)

    for _ in range(150):
        slow()
        guarded.turn()

    assert guarded.status.phase is Phase.CANARY
    assert guarded.status.stage_index == 1
    assert guarded.status.verdict is Verdict.INCONCLUSIVE


def test_an_objective_flags_off_in_a_bake_without_control(guarded):
    *stages, last = guarded.rollout.spec.stages
    guarded.want(stages=(*stages, last.model_copy(update={"bake_control_basis_points": 0})))
    walk(guarded, guarded.good_block, until=lambda w: w.status.phase is Phase.BAKE and not w.weight(Arm.CONTROL))

    guarded.until(
        lambda w: w.status.phase is Phase.FLAGGED_OFF,
        lambda: guarded.counters.serve("aks-v1", Arm.CANDIDATE, 0.01, 20, errors=8),
        limit=20,
    )

    assert "queries failed, the objective allows 10.0%" in guarded.status.flagged_off[-1].message


@pytest.mark.parametrize("dependence", Dependence)
@pytest.mark.parametrize("dedicated", [True, False])
def test_an_objective_of_latency_flags_off_in_a_bake_beside_a_control_that_idles(guarded, dependence, dedicated):
    """The arms' pods are loaded unlike each other there, which an objective never asked about; it once did not act."""
    spec = guarded.rollout.spec
    gates = tuple(
        gate.model_copy(update={"dependence": dependence, "warmup_seconds": 0}) for gate in spec.analysis.gates
    )
    *stages, last = spec.stages
    guarded.want(
        analysis=spec.analysis.model_copy(update={"gates": gates}),
        control=spec.control.model_copy(update={"dedicated": dedicated}),
        stages=(*stages, last.model_copy(update={"bake_seconds": 3600})),
    )
    before = walk(guarded, guarded.good_block, until=lambda w: w.status.phase is Phase.BAKE and w.weight(Arm.CONTROL))

    def slow() -> None:
        guarded.counters.serve("aks-v1", Arm.CANDIDATE, 5.0, 19)
        guarded.counters.serve("uniform-v1", Arm.CONTROL, 0.01, 1)

    written = walk(guarded, slow, until=lambda w: w.status.phase is Phase.FLAGGED_OFF, limit=40)

    assert guarded.status.flagged_off[-1].gate == "latency-p90"
    assert "queries took longer than 500 ms, the objective" in guarded.status.flagged_off[-1].message
    assert [words for block in replay([*before, *written]) for words in block.disagreements()] == []


def test_a_bake_names_the_gates_that_say_nothing_in_it(world):
    world.apply("rollout-aks.yaml")
    walk(
        world, world.good_block, until=lambda w: w.status.phase is Phase.BAKE and w.status.reason.startswith("nothing")
    )

    assert (
        "nothing speaks against it (latency-p90 not compared: the arms' pods are loaded unlike" in world.status.reason
    )


def test_who_is_within_its_objective_is_not_off_in_a_bake_and_passes(guarded):
    walk(guarded, guarded.good_block, until=lambda w: w.status.phase is Phase.BAKE)

    def slower_than_an_idle_control() -> None:
        guarded.good_block()
        guarded.counters.serve("aks-v1", Arm.CANDIDATE, 0.3, 200)

    walk(guarded, slower_than_an_idle_control, until=lambda w: w.status.stable_variant == "aks-v1", limit=40)

    assert guarded.status.flagged_off == ()


def test_a_control_that_differs_from_stable_is_told_everywhere_and_flags_nothing_off(guarded):
    def starved_control() -> None:
        guarded.good_block()
        if guarded.weight(Arm.CONTROL):
            guarded.counters.serve("uniform-v1", Arm.CONTROL, 0.3, 30)
            guarded.counters.asked_by("mallory", "uniform-v1", Arm.CONTROL, 30)
            for caller, arm in itertools.product(("web", "app"), (Arm.CONTROL, Arm.STABLE)):
                guarded.counters.asked_by(caller, "uniform-v1", arm, 50)

    walk(guarded, starved_control, until=lambda w: w.weight(Arm.CANDIDATE) == 100)
    guarded.want(paused=True)
    for _ in range(80):
        starved_control()
        guarded.turn()

    gate = guarded.status.gates[0]
    measured = next(c for c in guarded.status.conditions if c.type == "Measured")
    for words in (gate.message, measured.message):
        assert "control and stable differ on latency-p90 though they run the same sampler" in words
        assert "split unlike the others': the caller 'mallory' (about 25% of control's, 0% of stable's)" in words
    assert guarded.status.flagged_off == ()
    assert any("aa-query: e=" in line and "(shown only)" in line for line in evidence(guarded.rollout))

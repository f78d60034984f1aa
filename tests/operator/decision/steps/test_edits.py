"""Specs that are edited while a candidate is on its way: what is still about the same question stays."""

import json

import pytest

from pitwall_crds.rollout.gate import Dependence, Gate, QuantileMetric, QuantileRule, RateMetric, RateRule
from pitwall_crds.rollout.status import Phase, Verdict
from pitwall_operator.record.lines import evidence_lines
from pitwall_operator.record.replay import replay
from pitwall_operator.values.stages import stage_name

SELECTION = Gate(name="selection", quantile=QuantileRule(metric=QuantileMetric.FRAME_SELECTION))
AGAIN = Gate(name="again", rate=RateRule(metric=RateMetric.FOLLOW_UP))
ABSOLUTE = RateRule(metric=RateMetric.THUMBS_DOWN, objective_basis_points=4000)


def go(world, turns):
    """So many turns with a good block each; returns what they add to the record, as it is read back."""
    written = []
    for _ in range(turns):
        world.good_block()
        before = world.rollout
        written += evidence_lines(before, world.turn())
    return json.loads(json.dumps(written))


def canary(world):
    """A candidate at one per cent with some evidence; returns the record so far."""
    world.apply("rollout-aks.yaml")
    stages = world.rollout.spec.stages
    world.want(stages=(stages[0], stages[1].model_copy(update={"min_seconds": 3600}), *stages[2:]))
    written = []
    while world.status.stage != "1%":
        written += go(world, 1)
    return [*written, *go(world, 24)]


def edit(world, change):
    """Replace the gates by what `change` makes of them."""
    analysis = world.rollout.spec.analysis
    gates = tuple(change(list(analysis.gates)))
    world.want(analysis=analysis.model_copy(update={"gates": gates}))


def changed(name, **fields):
    """An edit of one gate's fields."""
    return lambda gates: [gate.model_copy(update=fields) if gate.name == name else gate for gate in gates]


def gate(world, name):
    return next(one for one in world.status.gates if one.name == name)


def trials(world, name):
    return gate(world, name).state["totals"]["arms"][1][0]


EDITS = [
    pytest.param(lambda gates: [*gates, SELECTION], id="a-quantile-more"),
    pytest.param(lambda gates: [*gates, AGAIN], id="a-rate-more"),
    pytest.param(lambda gates: gates[1:], id="one-less"),
    pytest.param(lambda gates: gates[::-1], id="another-order"),
    pytest.param(changed("latency-p90", margin_percent=30), id="another-edge"),
    pytest.param(changed("thumbs-down", margin_percent=30), id="another-harm-margin"),
    pytest.param(changed("thumbs-down", promote_margin_percent=(400, 300)), id="other-promote-margins"),
    pytest.param(changed("thumbs-down", rate=RateRule(metric=RateMetric.FOLLOW_UP)), id="another-metric"),
    pytest.param(changed("thumbs-down", rate=ABSOLUTE), id="an-objective"),
    pytest.param(changed("thumbs-down", weight=7, minimum_trials=3, dependence=Dependence.BLOCK), id="other-rules"),
]


@pytest.mark.parametrize("change", EDITS)
def test_a_record_replays_exactly_though_gates_were_edited_there_and_back(world, change):
    written = canary(world)
    original = world.rollout.spec.analysis
    edit(world, change)
    written += go(world, 16)
    assert [one.name for one in world.status.gates] == [one.name for one in world.rollout.spec.analysis.gates]
    world.want(analysis=original)
    written += go(world, 16)

    blocks = list(replay(written))
    assert len(blocks) >= 12
    assert [words for block in blocks for words in block.disagreements()] == []


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        pytest.param("latency-p90", {"margin_percent": 30}, id="another-edge"),
        pytest.param("thumbs-down", {"rate": RateRule(metric=RateMetric.FOLLOW_UP)}, id="another-metric"),
        pytest.param("thumbs-down", {"rate": ABSOLUTE}, id="an-objective"),
    ],
)
def test_a_gate_that_counts_something_else_begins_anew_and_the_others_do_not(world, name, fields):
    canary(world)
    other = "follow-up"
    before = trials(world, name), trials(world, other)
    edit(world, changed(name, **fields))
    world.turn()
    assert trials(world, name) == 0
    go(world, 8)

    assert 0 < trials(world, name) < before[0]
    assert trials(world, other) > before[1]


def test_margins_that_move_a_line_only_keep_the_counts(world):
    canary(world)
    before = trials(world, "thumbs-down")
    edit(world, changed("thumbs-down", margin_percent=30, promote_margin_percent=(90,)))
    go(world, 8)

    assert trials(world, "thumbs-down") > before


def test_a_gate_that_was_added_must_prove_itself_too(world):
    canary(world)
    edit(world, lambda gates: [*gates, SELECTION])
    go(world, 60)

    assert gate(world, "selection").verdict is Verdict.UNMEASURED
    assert world.status.stage == "1%"


def stages_without(world, *names):
    return tuple(
        stage for index, stage in enumerate(world.rollout.spec.stages)
        if stage_name(world.rollout.spec, index) not in names
    )  # fmt: skip


@pytest.mark.parametrize(
    ("removed", "stage"),
    [
        pytest.param(("shadow",), "1%", id="one-that-is-over"),
        pytest.param(("10%", "50%"), "1%", id="some-that-are-to-come"),
        pytest.param(("1%",), "shadow", id="the-present-one"),
        pytest.param(("shadow", "1%"), "10%", id="all-that-give-no-more"),
    ],
)
def test_a_candidate_stays_in_its_stage_or_goes_back_when_stages_are_edited(world, removed, stage):
    canary(world)
    world.want(stages=stages_without(world, *removed))
    world.turn()

    assert world.status.stage == stage


def test_a_stage_that_gets_another_weight_is_another_stage_which_lasts_and_is_proven_for_itself(world):
    world.to_canary()
    for _ in range(3):
        world.good_block()
        world.turn()
    before, stages = world.status, world.rollout.spec.stages
    present = stages[before.stage_index].model_copy(update={"weight_basis_points": 4000})
    world.want(stages=(present, stages[-1]))
    world.turn()

    assert world.status.history[-1].message == "aks-v1 enters stage 40%: stage 1% is no longer in spec.stages as it was"
    assert world.status.stage_start_time > before.stage_start_time
    assert all(gate.proof_after == before.last_block_time for gate in world.status.gates)


def test_a_candidate_far_ahead_survives_that_stages_behind_it_are_removed(world):
    world.apply("rollout-aks.yaml")
    written = []
    while world.status.stage != "50%":
        written += go(world, 1)
    world.want(stages=stages_without(world, "shadow", "1%", "10%"))
    while world.status.phase is not Phase.STABLE:
        written += go(world, 1)

    assert world.status.stable_variant == "aks-v1"
    assert [words for block in replay(written) for words in block.disagreements()] == []

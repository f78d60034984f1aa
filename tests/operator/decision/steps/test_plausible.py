"""A status that cannot be is told and healed; it stops nothing and loses nobody's users."""

import pytest

from pitwall_crds.names import Arm, EventReason
from pitwall_crds.rollout.action import Verb
from pitwall_crds.rollout.status import FlaggedOff, HistoryEntry, Phase, ServedVariant, TailStatus

OFF = FlaggedOff(variant="dpp-v1", revision="r1", gate="", message="", time="noon")
SERVED = ServedVariant(variant="dpp-v1", revision="r1", until="noon")
TOLD = HistoryEntry(time="noon", reason="Promoted", message="")


def broken(world, **fields):
    world.rollout = world.rollout.model_copy(update={"status": world.status.model_copy(update=fields)})
    before = world.split
    world.turn()
    world.turn()
    return before


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        pytest.param({"stage_index": 9}, "stage_index 9 became 0", id="no such stage"),
        pytest.param({"phase": Phase.CANARY}, "phase Canary became Stable", id="a canary of nothing"),
        pytest.param({"candidate_variant": "aks-v1"}, "candidate_variant aks-v1 became", id="a run of nobody"),
        pytest.param({"stage_start_time": "noon"}, "stage_start_time noon became", id="a time that is none"),
        pytest.param(
            {"silent_since": "0001-01-01T00:00"}, "silent_since 0001-01-01T00:00 became", id="a time too early"
        ),
        pytest.param({"flagged_off": (OFF,)}, "flagged_off held a time that is none", id="off since no time"),
        pytest.param({"served": (SERVED,)}, "served held a until that is none", id="served until no time"),
        pytest.param({"history": (TOLD,)}, "history held a time that is none", id="told at no time"),
    ],
)
def test_at_rest(world, fields, told):
    before = broken(world, **fields)

    assert world.split == before
    assert world.status.phase is Phase.STABLE
    assert [told in entry.message for entry in world.status.history if entry.reason == EventReason.BROKEN] == [True]


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        pytest.param({"phase": Phase.STABLE}, "phase Stable became", id="a candidate at rest"),
        pytest.param({"cursor": {"rows": {"gateway": 7}}}, "what was counted last cannot be read", id="numbers"),
        pytest.param({"cursor": {"packed": "?"}}, "what was counted last cannot be read", id="no code"),
        pytest.param({"users": {"evidence": 7}}, "what was counted last cannot be read", id="users of no kind"),
    ],
)
def test_on_its_way(world, fields, told):
    world.to_canary().good_block()
    broken(world, **fields, last_block_time="")

    assert world.weight(Arm.CANDIDATE) > 0
    assert [told in entry.message for entry in world.status.history if entry.reason == EventReason.BROKEN][:1] == [True]


def test_evidence_that_cannot_be_read_begins_anew(world):
    world.to_canary()
    gates = tuple(gate.model_copy(update={"state": {"processes": 7}}) for gate in world.status.gates)
    broken(world, gates=gates)

    assert all(gate.state.get("processes") != 7 for gate in world.status.gates)
    assert "the evidence of gate" in world.status.history[-1].message


def test_a_candidate_beside_nothing_that_serves_finds_what_the_flag_says(world):
    world.to_canary()
    broken(world, stable_variant="")

    assert world.status.stable_variant == "uniform-v1"
    assert EventReason.ADOPTED in world.reasons()


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        pytest.param(
            {"first_trial_time": "noon"}, "gates held a first_trial_time that is none", id="a time that is none"
        ),
        pytest.param(
            {"tail": TailStatus(control="1.2.3", candidate="1")}, "the evidence of gate", id="a threshold that is none"
        ),
    ],
)
def test_a_gate_that_cannot_be_is_told_and_healed(world, fields, told):
    gates = tuple(gate.model_copy(update=fields) for gate in world.to_canary().status.gates)
    world.good_block()
    broken(world, gates=gates, last_block_time="")

    assert world.weight(Arm.CANDIDATE) > 0
    assert any(told in entry.message for entry in world.status.history if entry.reason == EventReason.BROKEN)


def test_a_request_that_was_carried_out_is_not_carried_out_again_when_a_status_is_healed(world):
    world.to_canary().ask(Verb.RETRY)
    world.turn()
    broken(world, stable_variant="", flagged_off=(OFF.model_copy(update={"variant": "aks-v1", "time": ""}),))

    assert [off.variant for off in world.status.flagged_off] == ["aks-v1"]
    assert world.weight(Arm.CANDIDATE) == 0

"""Few users who ask much and differ: what their arms differ by anyway is no harm, and lets nothing pass either."""

import json

import pytest

from pitwall_crds.names import Arm
from pitwall_crds.rollout.status import Phase, Verdict
from pitwall_operator.record.lines import evidence_lines
from pitwall_operator.record.replay import replay


def slower(world):
    world.block("dpp-v1", candidate_seconds=0.2, bad=2, good=8)


def gate(world):
    return next(gate for gate in world.status.gates if gate.name == "latency-p90")


@pytest.fixture
def few(world):
    """A slow candidate with users of whom gateways say that twenty answers of one are like one."""
    world.apply("rollout-dpp.yaml")
    world.counters.alike = (200.0, 12.0)
    return world


def test_a_difference_that_few_users_have_anyway_is_waited_for(few, fork):
    few.until(lambda w: w.weight(Arm.CANDIDATE) > 0, lambda: slower(few))
    for _ in range(30):
        slower(few)
        few = fork(few)  # the operator begins anew
        few.turn()

    assert few.status.phase is Phase.CANARY
    assert gate(few).verdict is Verdict.INCONCLUSIVE
    assert "but within what 12 users like these differ by" in gate(few).message


@pytest.mark.parametrize("alike", [None, (1.0, 400.0)])
def test_where_users_ask_little_or_nobody_tells_harm_is_proven_as_soon_as_ever(few, alike):
    few.counters.alike = alike
    few.until(lambda w: w.status.phase is Phase.FLAGGED_OFF, lambda: slower(few), limit=20)


def test_a_gateway_that_begins_anew_does_not_make_harm_of_it(few):
    few.until(lambda w: w.weight(Arm.CANDIDATE) > 0, lambda: slower(few))
    for _ in range(30):
        slower(few)
        few.turn()
    few.counters.alike = (1.0, 12.0)
    few.counters.latencies = {}
    for _ in range(10):
        slower(few)
        few.turn()

    assert few.status.phase is Phase.CANARY


def test_the_record_tells_what_users_differed_by_so_that_replay_waits_too(few):
    lines = []
    for _ in range(25):
        slower(few)
        before = few.rollout
        lines += evidence_lines(before, few.turn())
    blocks = list(replay(json.loads(json.dumps(lines))))

    assert "like these" in gate(few).message
    assert [words for block in blocks for words in block.disagreements()] == []

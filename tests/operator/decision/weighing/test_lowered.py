"""Where a quantile gate's own threshold lies beyond what is measured, it finds harm and passes nothing."""

from dataclasses import replace

import pytest

from pitwall_crds.names import Arm, Metric
from pitwall_crds.rollout.gate import QuantileMetric
from pitwall_crds.rollout.status import Phase, TailStatus, Verdict
from pitwall_operator.decision.weighing.analyze import fresh_gates
from pitwall_operator.gates import highest_edge, margin_edge
from pitwall_operator.gates.counting import counters, latency_thresholds
from pitwall_operator.observe.promql import interest
from pitwall_operator.record.lines import evidence_lines
from pitwall_operator.record.replay import replay
from pitwall_operator.values.observation import ProcessCounters

SLOW_SECONDS = 50.0


def with_slow_stable(world, slow: int = 200, seconds: float = SLOW_SECONDS) -> None:
    """A p99 gate with a margin of half, and a stable variant of which one answer in fifty takes fifty seconds."""
    world.counters.latencies.clear()
    world.counters.serve("uniform-v1", Arm.STABLE, 0.1, 9800)
    world.counters.serve("uniform-v1", Arm.STABLE, seconds, slow)
    world.apply("rollout-aks.yaml")
    analysis = world.rollout.spec.analysis
    latency = next(gate for gate in analysis.gates if gate.quantile)
    rule = latency.quantile.model_copy(update={"per_mille": 990})
    latency = latency.model_copy(
        update={"quantile": rule, "margin_percent": 50, "absolute_margin_basis_points": 300, "warmup_seconds": 0}
    )
    errors = next(gate for gate in analysis.gates if gate.name == "errors")
    stages = tuple(stage for stage in world.rollout.spec.stages if not stage.shadow)
    world.want(analysis=analysis.model_copy(update={"gates": (latency, errors)}), stages=stages)


def block(world, seconds: float, slow: int = 1) -> None:
    world.counters.serve("uniform-v1", Arm.STABLE, 0.1, 60)
    world.counters.serve("uniform-v1", Arm.STABLE, SLOW_SECONDS, slow)
    for arm, variant, usual in ((Arm.CONTROL, "uniform-v1", 0.1), (Arm.CANDIDATE, "aks-v1", seconds)):
        if world.weight(arm):
            world.counters.serve(variant, arm, usual, 20)


def latency(world):
    return next(gate for gate in world.status.gates if gate.name.startswith("latency"))


def test_a_candidate_twenty_times_slower_is_off(world):
    """It stayed for good where one user's answers had put the threshold beyond the last bucket."""
    with_slow_stable(world)

    world.until(lambda w: w.status.phase is Phase.FLAGGED_OFF, lambda: block(world, 2.0), limit=60)

    assert latency(world).verdict is Verdict.HARMFUL
    assert latency(world).tail.lowered


def test_a_twin_passes_nothing_and_is_told_why(world):
    with_slow_stable(world)
    world.until(lambda w: w.weight(Arm.CANDIDATE) > 0, lambda: block(world, 0.1))
    weight = world.weight(Arm.CANDIDATE)

    for _ in range(60):
        block(world, 0.1)
        world.turn()

    assert (world.status.phase, world.weight(Arm.CANDIDATE)) == (Phase.CANARY, weight)
    assert latency(world).verdict is Verdict.UNMEASURED
    assert "the threshold would lie beyond the last bucket edge" in latency(world).message


def test_the_gates_own_threshold_is_frozen_once_it_can_be_measured_and_the_record_replays(world):
    with_slow_stable(world, slow=110)
    lines = []

    def turn(slow: int) -> None:
        before = world.rollout
        block(world, 0.1, slow)
        lines.extend(evidence_lines(before, world.turn()))

    for _ in range(20):
        turn(1)
    assert latency(world).tail.lowered
    for _ in range(60):
        turn(0)

    assert not latency(world).tail.lowered
    assert latency(world).verdict is not Verdict.UNMEASURED
    replayed = list(replay(lines))
    assert len(replayed) > 20
    assert [words for one in replayed for words in one.disagreements()] == []


def as_prometheus_tells(world) -> None:
    """From now on the world is seen as in a cluster, where nothing is read but what was asked for."""
    everything = world.seen

    def seen():
        asked, whole = interest(world.rollout).samples, everything()
        sources = {
            name: ProcessCounters(known.start_time, {one: known.samples[one] for one in known.samples if one in asked})
            for name, known in whole.reading.sources.items()
        }
        return replace(whole, reading=replace(whole.reading, sources=sources))

    world.seen = seen


def test_the_history_is_asked_for_until_the_gates_own_threshold_is_frozen(world):
    """In a planned run it was no longer read, and the gate stayed Unmeasured for good."""
    with_slow_stable(world, slow=110)
    as_prometheus_tells(world)
    for _ in range(20):
        block(world, 0.1)
        world.turn()
    assert latency(world).tail.lowered
    status = world.status.model_copy(update={"plan": ("planned",)})
    world.rollout = world.rollout.model_copy(update={"status": status})

    for _ in range(60):
        block(world, 0.1, 0)
        world.turn()

    assert not latency(world).tail.lowered
    assert latency(world).verdict is not Verdict.UNMEASURED
    assert Metric.HISTORY_LATENCY + "_bucket" not in interest(world.rollout).samples, "it never changes again"


def drop_the_word(world) -> None:
    """What an older CRD does to a status that is written."""
    gates = tuple(
        gate.model_copy(update={"tail": gate.tail and gate.tail.model_copy(update={"lowered": None})})
        for gate in world.status.gates
    )
    status = world.status.model_copy(update={"gates": gates})
    world.rollout = world.rollout.model_copy(update={"status": status})


def test_an_older_crd_that_drops_the_word_lets_nothing_pass(world):
    with_slow_stable(world)
    for _ in range(80):
        block(world, 0.1)
        world.turn()
        drop_the_word(world)

    assert latency(world).verdict is Verdict.UNMEASURED
    assert Metric.HISTORY_LATENCY + "_bucket" in interest(world.rollout).samples


def test_an_older_crd_that_drops_the_word_hides_no_harm_at_the_highest_edge(world):
    """The gate's own threshold was frozen anew with each block, and what the block had counted was lost each time."""
    with_slow_stable(world, seconds=38.0)
    for number in range(80):
        block(world, 0.1 if number < 20 else 60.0)
        world.turn()
        drop_the_word(world)

    tail = latency(world).tail
    assert float(tail.control) == highest_edge(counters.EDGES[QuantileMetric.QUERY_LATENCY], 50)
    assert world.status.phase is Phase.FLAGGED_OFF


def test_thresholds_below_the_highest_edge_are_the_gates_own_without_a_word(world):
    gate = next(one for one in world.rollout.spec.analysis.gates if one.quantile)

    assert not latency_thresholds.is_lowered(gate, TailStatus(control="0.5", candidate="1.0"))


def test_what_is_counted_beyond_a_lower_edge_is_no_proof_at_the_gates_own(world):
    with_slow_stable(world, slow=110)
    for _ in range(20):
        block(world, 0.1)
        world.turn()
    before = latency(world)
    proofs = [one for one in before.state["processes"] if one.startswith("non-inferiority")]
    while latency(world).tail.lowered:
        block(world, 0.1, 0)
        world.turn()

    assert before.tail.lowered
    assert proofs
    assert latency(world).proof_after != before.proof_after
    fresh = next(one for one in fresh_gates(world.rollout.spec) if one.name == before.name).state["processes"]
    after = latency(world).state["processes"]
    assert {name: after[name]["process"] for name in proofs} == {name: fresh[name]["process"] for name in proofs}


def test_edges_that_are_not_measured_are_neither_asked_for_nor_frozen(world):
    with_slow_stable(world, slow=5000)
    for _ in range(4):
        block(world, 0.1)
        world.turn()

    tail = latency_thresholds.edges_of(latency(world).tail)
    edges = counters.EDGES[world.rollout.spec.analysis.gates[0].quantile.metric]
    assert tail.control == highest_edge(edges, 50)
    assert tail.candidate == margin_edge(edges, tail.control, 50) == edges[-1]
    assert len(tail.further) == 1, "the median alone"
    assert "inf" not in str(interest(world.rollout).samples.values())


@pytest.mark.parametrize(("margin", "edge"), [(0, 4.0), (50, 2.0), (100, 2.0), (300, 1.0), (301, float("inf"))])
def test_the_highest_edge_has_a_margin_that_is_measured(margin, edge):
    assert highest_edge((1.0, 2.0, 4.0), margin) == edge

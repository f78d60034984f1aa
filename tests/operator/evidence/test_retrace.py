"""A record weighed again says the same; a record that was changed does not."""

import copy

import pytest

from pitwall_crds.gate import Dependence, Gate, QuantileMetric, QuantileRule, RateMetric, RateRule
from pitwall_crds.rollout import Analysis, Verdict
from pitwall_operator.evidence.counts import Counts, Pairs, Tally
from pitwall_operator.gates import GateEvidence, StageContext, StageKind
from pitwall_operator.gates.picture import draw
from pitwall_operator.gates.retrace import retrace

GATES = (
    Gate(name="latency-p99", quantile=QuantileRule(metric=QuantileMetric.QUERY_LATENCY)),
    Gate(name="thumbs-down", rate=RateRule(metric=RateMetric.THUMBS_DOWN), dependence=Dependence.QUERY),
)
STAGES = [("shadow", StageContext(StageKind.SHADOW))] * 12 + [("canary 10%", StageContext(StageKind.CANARY, 1))] * 40


def recorded():
    """Lines as the operator writes them: a shadow stage, then a split in which the candidate is slow."""
    analysis = Analysis(gates=GATES)
    evidence = {gate.name: GateEvidence.start(gate, analysis) for gate in GATES}
    yield {"kind": "run", "run": "r1", "analysis": analysis.model_dump(mode="json", by_alias=True)}
    for index, (name, stage) in enumerate(STAGES):
        counts = {
            "latency-p99": Counts(Tally(50, 1), Tally(50, index % 4)),
            "thumbs-down": Counts(Tally(9, 1), Tally(9, 2)),
        }
        if stage.kind is StageKind.SHADOW:
            counts = {"latency-p99": Counts(pairs=Pairs(20, 3, 3))}
        gates = {}
        for gate in GATES:
            evidence[gate.name] = evidence[gate.name].update(counts.get(gate.name, Counts()))
            assessment = evidence[gate.name].assess(stage)
            gates[gate.name] = {"verdict": assessment.verdict.value, "message": assessment.message}
        yield {
            "kind": "block",
            "run": "r1",
            "time": f"{index + 1}",
            "after": f"{index}",
            "stage": {"name": name, "kind": stage.kind.value, "canary_index": stage.canary_index},
            "counts": {gate: as_line(block) for gate, block in counts.items()},
            "gates": gates,
        }


def as_line(counts):
    return {
        "control": {"trials": counts.control.trials, "bad": counts.control.bad, "total": counts.control.total},
        "candidate": {"trials": counts.candidate.trials, "bad": counts.candidate.bad, "total": counts.candidate.total},
        "pairs": {"total": counts.pairs.total, "worse": counts.pairs.worse, "better": counts.pairs.better},
    }


def test_every_verdict_is_found_again():
    found = list(retrace(recorded(), "r1"))
    assert len(found) == len(STAGES) * len(GATES)
    assert all(point.agrees for point in found)
    assert found[1].verdict is Verdict.UNMEASURED


def test_a_changed_count_is_noticed():
    lines = [copy.deepcopy(line) for line in recorded()]
    lines[20]["counts"]["latency-p99"]["candidate"]["bad"] = 40
    points = [point for point in retrace(lines, "r1") if point.gate == "latency-p99"]
    assert not points[-1].agrees


def test_of_two_blocks_after_the_same_moment_the_later_counts():
    lines = list(recorded())
    lost = {**lines[5], "counts": {"latency-p99": as_line(Counts(pairs=Pairs(9, 9, 0)))}}
    assert all(point.agrees for point in retrace([*lines[:5], lost, *lines[5:]], "r1"))


def test_a_record_without_its_beginning_is_refused():
    with pytest.raises(ValueError, match="no beginning of run 'r1'"):
        list(retrace(list(recorded())[1:], "r1"))


def test_the_picture_is_drawn(tmp_path):
    path = tmp_path / "evidence.png"
    draw(list(retrace(recorded(), "r1")), path)
    assert path.read_bytes().startswith(b"\x89PNG")


def test_an_empty_record_cannot_be_drawn(tmp_path):
    with pytest.raises(ValueError, match="nothing to draw"):
        draw([], tmp_path / "evidence.png")

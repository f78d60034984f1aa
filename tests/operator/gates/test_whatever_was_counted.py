"""Whatever was counted, evidence can be stored as a status holds it, and goes on as if it never was."""

import json
from dataclasses import replace

from hypothesis import example, given, settings
from hypothesis import strategies as st

from pitwall_crds.rollout.gate import Gate
from pitwall_crds.rollout.rollout import Analysis
from pitwall_crds.rollout.status import MOST_MISSING, ProcessStatus
from pitwall_operator.evidence.basis.counts import Counts, EdgeTallies, Pairs, Tally
from pitwall_operator.gates import GateEvidence, StageContext, StageKind

RULES = [
    {"rate": {"metric": "Errors", "objectiveBasisPoints": 200}},
    {"rate": {"metric": "ThumbsDown", "unit": "User"}},
    {"quantile": {"metric": "QueryLatency", "objectiveMilliseconds": 500}, "marginPercent": 20},
    {"mean": {"metric": "TokensPerQuery"}},
]
GATES = [
    Gate.model_validate({"name": "gate", "dependence": how, **rule}) for rule in RULES for how in ("Query", "Block")
]
STAGES = [StageContext(StageKind.SHADOW), StageContext(StageKind.CANARY), StageContext(StageKind.BAKE, 3)]

sizes = st.sampled_from([0, 1, 7, 1000, 10**9])


@st.composite
def tallies(draw):
    trials = draw(sizes)
    bad = draw(st.sampled_from([0, trials // 2, trials]))
    return Tally(trials, bad, trials * draw(st.sampled_from([0.0, 1e-9, 1.0, 1e6])))


@st.composite
def counts(draw):
    """What one block may have counted."""
    worse, better, equal = draw(sizes), draw(sizes), draw(sizes)
    edges = draw(st.lists(st.builds(EdgeTallies, tallies(), tallies(), tallies()), max_size=2))
    pairs = Pairs(worse + better + equal, worse, better)
    seen = Counts(
        draw(tallies()), draw(tallies()), pairs, draw(tallies()), draw(tallies()), draw(st.booleans()), tuple(edges)
    )
    return replace(seen, uncompared=draw(sizes), gross=EdgeTallies(draw(tallies()), draw(tallies())))


@settings(max_examples=25)
@example(GATES[0], [Counts(control=Tally(1, 1), candidate=Tally(10**9, 0))], STAGES[1]).via("a rate rounded to 1")
@example(GATES[0], [Counts(control=Tally(10**17, 10**17), candidate=Tally(400, 4))], STAGES[1]).via("another one")
@example(GATES[1], [Counts(control=Tally(10**9, 10**9 // 2), candidate=Tally(10**6))], STAGES[1]).via("proof in aeons")
@given(st.sampled_from(GATES), st.lists(counts(), max_size=4), st.sampled_from(STAGES))
def test_it_is_stored_and_goes_on_from_there(gate, blocks, stage):
    analysis = Analysis(gates=(gate,))
    evidence = restored = GateEvidence.start(gate, analysis)
    for block in blocks:
        evidence = evidence.update(block)
        state = json.loads(json.dumps(restored.update(block).to_state(), allow_nan=False))
        restored = GateEvidence.from_state(gate, analysis, state)
    said = evidence.assess(stage)

    assert restored.assess(stage) == said
    assert said.missing_trials is None or 0 <= said.missing_trials <= MOST_MISSING
    for reading in said.readings:
        told = ProcessStatus(name=reading.name, log_e=repr(reading.log_e), log_threshold=repr(reading.log_threshold))
        assert float(told.log_e) == reading.log_e

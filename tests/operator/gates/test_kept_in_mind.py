"""What the same state says is worked out once: most turns close no block."""

import copy
from pathlib import Path

import pytest

from pitwall_crds.reading.load import load_file
from pitwall_crds.rollout.rollout import Rollout
from pitwall_operator.evidence.basis.counts import Counts, Tally
from pitwall_operator.gates import GateEvidence, StageContext, StageKind, assess_state

EXAMPLES = Path(__file__).parents[3] / "examples"
BLOCK = Counts(Tally(40, 1), Tally(40, 30), stable=Tally(400, 10))
STAGE = StageContext(StageKind.CANARY)


@pytest.fixture
def analysis():
    return next(one for one in load_file(EXAMPLES / "rollout-aks.yaml") if isinstance(one, Rollout)).spec.analysis


def test_an_equal_state_is_neither_restored_nor_assessed_again(analysis):
    for gate in analysis.gates:
        state = GateEvidence.start(gate, analysis).update(BLOCK).to_state()
        again = copy.deepcopy(state)

        assert assess_state(gate, analysis, again, STAGE) is assess_state(gate, analysis, state, STAGE)
        assert (
            GateEvidence.from_state(gate, analysis, again).totals
            is GateEvidence.from_state(gate, analysis, state).totals
        )


def test_what_is_kept_says_what_the_evidence_itself_says_and_another_block_says_something_else(analysis):
    for gate in analysis.gates:
        once = GateEvidence.start(gate, analysis).update(BLOCK)
        twice = once.update(BLOCK)

        assert assess_state(gate, analysis, once.to_state(), STAGE) == once.assess(STAGE)
        assert assess_state(gate, analysis, twice.to_state(), STAGE) == twice.assess(STAGE)
        assert twice.assess(STAGE) != once.assess(STAGE)

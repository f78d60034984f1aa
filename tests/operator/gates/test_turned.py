"""What was proven once in a stage lets nothing pass any more once all evidence has turned against it."""

import random

import pytest

from pitwall_crds.rollout.gate import Dependence, Gate
from pitwall_crds.rollout.rollout import Analysis
from pitwall_crds.rollout.status import Verdict
from pitwall_operator.evidence.basis.counts import Counts, Tally
from pitwall_operator.gates import GateEvidence, StageContext, StageKind

STAGE = StageContext(StageKind.CANARY, 3)
USUAL, TURNED = 0.2, 0.32


class LongStage:
    """A gate that flags off what is twice as bad, and lets pass what is at most a quarter worse."""

    def __init__(self, dependence: Dependence) -> None:
        gate = Gate.model_validate(
            {
                "name": "follow-up",
                "rate": {"metric": "FollowUp", "unit": "Query"},
                "marginPercent": 100,
                "promoteMarginPercent": [25],
                "dependence": dependence,
            }
        )
        self._chance = random.Random(1)
        self.evidence = GateEvidence.start(gate, Analysis(gates=(gate,)))

    @property
    def verdict(self) -> Verdict:
        return self.evidence.assess(STAGE).verdict

    def blocks(self, number: int, rate: float) -> None:
        for _ in range(number):
            control, candidate = self._arm(USUAL), self._arm(rate)
            self.evidence = self.evidence.update(Counts(control=control, candidate=candidate))

    def _arm(self, rate: float) -> Tally:
        return Tally(200, sum(self._chance.random() < rate for _ in range(200)))


@pytest.mark.parametrize("dependence", Dependence)
def test_a_candidate_that_turned_worse_than_the_stage_allows_does_not_pass(dependence):
    stage = LongStage(dependence)
    stage.blocks(60, USUAL)
    assert stage.verdict is Verdict.NON_INFERIOR

    stage.blocks(300, TURNED)
    assert stage.verdict is Verdict.INCONCLUSIVE
    assert stage.evidence.assess(STAGE).message.startswith("proven once in this stage, but not by what came since; ")

    stage.evidence = stage.evidence.renewed()
    stage.blocks(60, USUAL)
    assert stage.verdict is Verdict.NON_INFERIOR


@pytest.mark.parametrize("dependence", Dependence)
def test_what_is_proven_of_a_twin_stays_so(dependence):
    stage = LongStage(dependence)
    stage.blocks(60, USUAL)
    for _ in range(100):
        stage.blocks(5, USUAL)
        assert stage.verdict is Verdict.NON_INFERIOR

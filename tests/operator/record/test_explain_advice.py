"""What a story tells beside evidence and history."""

import pytest

from pitwall_crds.rollout import Rollout
from pitwall_operator.record.explain import story

ADVICE = "  gate errors: absoluteMarginBasisPoints 0: errors normally never happen"


def rollout(phase: str, margin: int) -> Rollout:
    errors = {"name": "errors", "rate": {"metric": "Errors"}, "absoluteMarginBasisPoints": margin}
    stages = [{"weightBasisPoints": weight} for weight in (100, 10_000)]
    spec = {"flag": "f", "variantRef": {"name": "v"}, "stages": stages, "analysis": {"gates": [errors]}}
    return Rollout.model_validate({"metadata": {"name": "r"}, "spec": spec, "status": {"phase": phase}})


@pytest.mark.parametrize("phase", ["Shadow", "Canary", "Bake"])
def test_advice_stands_in_the_story_while_a_candidate_moves(phase):
    told = story(rollout(phase, margin=0), ())

    assert told[told.index("Advice") + 1].startswith(ADVICE)
    assert "Advice" not in story(rollout(phase, margin=100), ())


@pytest.mark.parametrize("phase", ["Pending", "Stable", "FlaggedOff", "Aborted", "Invalid"])
def test_advice_is_spared_where_nothing_is_weighed(phase):
    assert "Advice" not in story(rollout(phase, margin=0), ())

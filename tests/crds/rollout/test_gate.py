"""What a gate may say, and what it is about."""

import pytest
from pydantic import ValidationError

from pitwall_crds.rollout.gate import Gate

QUANTILE = {"metric": "QueryLatency", "perMille": 990}
ERRORS = {"metric": "Errors"}


def gate(**fields: object) -> Gate:
    return Gate.model_validate({"name": "g", "marginPercent": 10, **fields})


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        pytest.param({}, "exactly one of quantile, rate and mean, not 0", id="no rule"),
        pytest.param({"quantile": QUANTILE, "rate": ERRORS}, "exactly one of quantile, rate and mean, not 2", id="two"),
        pytest.param({"quantile": QUANTILE, "weight": 0}, "weight", id="no weight"),
        pytest.param({"quantile": QUANTILE, "weight": 101}, "weight", id="too much weight"),
        pytest.param({"quantile": QUANTILE, "warmupSeconds": -1}, "warmupSeconds", id="a warm-up before the start"),
        pytest.param({"quantile": QUANTILE, "minimumTrials": 10_000_001}, "minimumTrials", id="trials without end"),
        pytest.param({"quantile": QUANTILE, "onHarm": "Explode"}, "onHarm", id="an unknown consequence"),
    ],
)
def test_a_gate_that_cannot_be_weighed_is_refused(fields, words):
    with pytest.raises(ValidationError, match=words):
        gate(**fields)


@pytest.mark.parametrize(
    ("fields", "objective"),
    [
        pytest.param({"quantile": QUANTILE}, 0.0, id="a quantile without an objective"),
        pytest.param(
            {"quantile": QUANTILE | {"objectiveMilliseconds": 800}}, 0.01, id="one query in a hundred is slow"
        ),
        pytest.param({"rate": ERRORS | {"objectiveBasisPoints": 50}}, 0.005, id="one in two hundred fails"),
        pytest.param({"rate": ERRORS}, 0.0, id="a rate without an objective"),
    ],
)
def test_the_objective_is_the_bad_rate_that_is_allowed(fields, objective):
    assert gate(**fields).objective == pytest.approx(objective)


def test_only_rates_of_what_people_think_are_about_answers():
    assert not gate(quantile=QUANTILE).is_about_answers
    assert not gate(rate=ERRORS).is_about_answers
    assert gate(rate={"metric": "ThumbsDown"}).is_about_answers

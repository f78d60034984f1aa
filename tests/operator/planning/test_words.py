"""A plan in a few sentences: short enough for every place that shows them, and true to the plan itself."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pitwall_crds.rollout.rollout import RolloutSpec
from pitwall_operator.gates.counting.expected import TrafficNow
from pitwall_operator.planning.plan import plan
from pitwall_operator.planning.words import LONGEST, MOST, plan_sentences
from pitwall_operator.values.about import duration

GATES = [
    {"name": "latency", "quantile": {"metric": "QueryLatency"}},
    {"name": "errors", "rate": {"metric": "Errors"}, "absoluteMarginBasisPoints": 300},
    {"name": "thumbs", "rate": {"metric": "ThumbsDown"}},
]


def spec(*gates: dict, stages: tuple[dict, ...] = ({"weightBasisPoints": 1000},)) -> RolloutSpec:
    return RolloutSpec.model_validate(
        {
            "flag": "f",
            "variantRef": {"name": "v"},
            "stages": [*stages, {"weightBasisPoints": 10_000, "bakeSeconds": 3600}],
            "control": {"dedicated": True},
            "analysis": {"gates": list(gates)},
        }
    )


def test_the_first_sentence_is_about_a_healthy_candidate_and_sums_its_stages():
    wanted, traffic = spec(*GATES), TrafficNow(10.0)
    whole = sum(stage.seconds for stage in plan(wanted, traffic).stages)

    first, *_ = plan_sentences(wanted, traffic)

    assert first.startswith(f"at 10 questions a second a healthy candidate takes {duration(whole)}: 10% ")
    assert "100% 60 minutes (bakeSeconds)" in first


def test_bad_candidates_are_told_gate_by_gate():
    _, milder, twice, *_ = plan_sentences(spec(*GATES), TrafficNow(10.0))

    assert milder.startswith("one that is 1.5 times as bad is off after: ")
    assert twice.startswith("one that is 2 times as bad is off after: latency ")
    assert " questions (" in twice


def test_a_stage_that_nobody_passes_is_named_with_its_reason():
    never = {"name": "errors", "rate": {"metric": "Errors"}}
    first, *rest = plan_sentences(spec(never), TrafficNow(0.0))

    assert first == "at 0 questions a second a healthy candidate never passes 10%: errors, no questions come"
    assert not any("is off after" in sentence for sentence in rest)


def test_a_person_who_approves_is_told():
    stages = ({"weightBasisPoints": 1000, "approval": "Manual"},)
    assert ", then a person approves)" in plan_sentences(spec(GATES[0], stages=stages), TrafficNow(10.0))[0]


@settings(max_examples=10, deadline=None)
@given(
    questions=st.sampled_from([0.0, 0.02, 1.0, 100.0]),
    names=st.lists(st.text("ab", min_size=50, max_size=60), min_size=4, max_size=4, unique=True),
)
def test_however_long_names_are_every_sentence_fits(questions, names):
    gates = [{"name": name, "rate": {"metric": "Errors"}, "absoluteMarginBasisPoints": 300} for name in names]
    told = plan_sentences(spec(*gates), TrafficNow(questions))

    assert 1 <= len(told) <= MOST
    assert all(0 < len(sentence) <= LONGEST for sentence in told)


@pytest.mark.parametrize("questions", [0.02, 1.0, 100.0])
def test_the_same_traffic_gives_the_same_words(questions):
    wanted = spec(GATES[0])
    assert plan_sentences(wanted, TrafficNow(questions)) == plan_sentences(wanted, TrafficNow(questions))

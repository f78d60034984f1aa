"""Whose questions make arms unequal between which only chance decides is named, and nobody whom chance explains."""

import random

import pytest

from pitwall_crds.names import Arm, Label, Metric
from pitwall_crds.rollout.gate import Gate
from pitwall_operator.decision.weighing.suspects import suspect
from pitwall_operator.gates.counting.counters import Run, trial_kind
from pitwall_operator.values.observation import ProcessCounters, Reading

RUN = Run("uniform-v1", "aks-v1", "run-2")


def gateway(control, stable, run="run-2", kind="question"):
    """The counters of one gateway: questions by caller, of each arm."""
    rows = [
        (
            {
                Label.SAMPLER_VARIANT: "uniform-v1",
                Label.ARM: arm,
                Label.RUN: run,
                Label.KIND: kind,
                Label.CALLER: caller,
            },
            count,
        )
        for arm, counts in ((Arm.CONTROL, control), (Arm.STABLE, stable))
        for caller, count in counts.items()
    ]
    return ProcessCounters(0.0, {Metric.EVIDENCE_CALLERS: rows})


def reading(*gateways):
    return Reading(1.0, {f"gateway-{number}": one for number, one in enumerate(gateways)})


def test_a_caller_that_picks_its_arm_is_named_with_its_part_of_both():
    control, stable = {"web": 90, "app": 40, "mallory": 60}, {"web": 900, "app": 410, "mallory": 2}

    assert suspect(reading(gateway(control, stable)), RUN, "question") == (
        "split unlike the others': the caller 'mallory' (about 30% of control's, 0% of stable's)"
    )


def test_of_two_callers_each_is_unlike_the_other():
    words = suspect(reading(gateway({"web": 90, "mallory": 60}, {"web": 900, "mallory": 2})), RUN, "question")

    assert "'mallory' (about 40% of control's" in words
    assert "'web' (about 60% of control's" in words


def test_gateways_are_added_up_and_other_runs_are_not():
    halves = [gateway({"web": 90, "mallory": 14}, {"web": 900, "mallory": 60}) for _ in range(4)]
    former = gateway({"web": 1, "mallory": 9_000}, {"web": 9_000, "mallory": 1}, run="run-1")

    assert "'mallory'" in suspect(reading(*halves), RUN, "question")
    assert "'mallory'" not in suspect(reading(halves[0], former), RUN, "question")


def test_among_many_the_rest_counts_but_has_no_name():
    assert "'mallory'" in suspect(
        reading(gateway({"mallory": 40, "": 100}, {"mallory": 40, "": 1000})), RUN, "question"
    )
    assert suspect(reading(gateway({"": 100}, {"": 1000})), RUN, "question") == ""


@pytest.mark.parametrize(
    ("control", "stable"),
    [
        pytest.param({"web": 100}, {"web": 900}, id="a caller that is alone"),
        pytest.param({"web": 100, "app": 0}, {"web": 900, "app": 5}, id="a caller with few questions"),
        pytest.param({"web": 0, "app": 0}, {"web": 0, "app": 0}, id="no questions yet"),
        pytest.param({"web": 100}, {"app": 1}, id="hardly anything to compare with"),
    ],
)
def test_nobody_is_named_without_ground(control, stable):
    assert suspect(reading(gateway(control, stable)), RUN, "question") == "no caller's are split unlike the others'"


@pytest.mark.parametrize(
    ("rate", "kind"),
    [
        pytest.param({"metric": "ThumbsDown", "unit": "User"}, "thumbs_down user", id="votes"),
        pytest.param({"metric": "Errors"}, "question", id="answers"),
    ],
)
def test_of_a_gate_its_own_trials_are_looked_at(rate, kind):
    gate = Gate.model_validate({"name": "a", "rate": rate})

    assert trial_kind(gate) == kind
    voted = gateway({"web": 50, "app": 50, "mallory": 60}, {"web": 500, "app": 500, "mallory": 2}, kind=kind)
    assert "'mallory'" in suspect(reading(voted), RUN, trial_kind(gate))
    assert suspect(reading(voted), RUN, "follow_up session") == ""


def test_gateways_that_tell_of_no_callers_lead_to_no_word():
    assert suspect(reading(ProcessCounters(0.0, {})), RUN, "question") == ""


def test_callers_whose_questions_are_drawn_by_chance_are_hardly_ever_named():
    dice, named = random.Random(7), 0
    for _ in range(400):
        sizes = {f"caller-{number}": dice.randrange(1, 400) for number in range(8)}
        control = {name: sum(dice.random() < 0.3 for _ in range(size)) for name, size in sizes.items()}
        stable = {name: sizes[name] - control[name] for name in sizes}
        named += "unlike the others':" in suspect(reading(gateway(control, stable)), RUN, "question")

    assert named <= 4

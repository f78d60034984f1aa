"""A control is warming up while it is clearly colder than candidate and stable, and no longer."""

import json
import random

import pytest

from pitwall_operator.evidence.basis.counts import EdgeTallies, Tally
from pitwall_operator.gates.coldness import UNKNOWN, Coldness

WARM = 0.05


def after(control, candidate=WARM, stable=0.02, *, blocks=100, trials=6, known=UNKNOWN, seed=3):
    """So many blocks with these shares of cold questions."""
    draw = random.Random(seed)

    def arm(rate, number):
        return Tally(number, sum(draw.random() < rate for _ in range(number)))

    for _ in range(blocks):
        known = known.after(EdgeTallies(arm(control, trials), arm(candidate, trials), arm(stable, 5 * trials)))
    return known


@pytest.mark.parametrize(
    ("control", "candidate", "stable", "is_cold"),
    [
        pytest.param(0.4, 0.2, 0.02, True, id="a-candidate-that-had-copies-before"),
        pytest.param(0.4, 0.4, 0.02, False, id="both-begin-alike"),
        pytest.param(0.2, 0.4, 0.02, False, id="the-candidate-is-the-colder-one"),
        pytest.param(0.4, 0.2, 0.4, False, id="a-sampler-that-needs-less-of-a-cache-than-stables"),
        pytest.param(0.5, 0.4, 0.02, False, id="within-the-margin"),
    ],
)
def test_a_control_is_cold_beside_both_others(control, candidate, stable, is_cold):
    assert after(control, candidate, stable).exceeds(1.25) is is_cold


def test_a_few_questions_show_it():
    assert after(0.9, blocks=2).exceeds(1.25)


def test_what_was_known_of_stable_stays_where_it_has_no_users_any_more():
    """After a shadow stage, half of all go to the candidate and half to the control."""
    known = UNKNOWN.after(EdgeTallies(candidate=Tally(500, 10), stable=Tally(500, 10)))
    for _ in range(20):
        known = known.after(EdgeTallies(Tally(50, 30), Tally(50, 1)))

    assert known.exceeds(1.25)


def test_where_nothing_is_known_nothing_is_cold():
    assert not UNKNOWN.exceeds(1.25)
    assert not UNKNOWN.after(EdgeTallies()).exceeds(1.25)
    assert not Coldness().after(EdgeTallies(control=Tally(9, 9), stable=Tally(9, 0))).exceeds(1.25), "no candidate yet"


@pytest.mark.parametrize("trials", [6, 300])
def test_once_its_few_films_are_known_it_is_warm_after_thrice_the_time_however_cold_it_was(trials):
    cold = after(1.0, 0.0, 0.0, blocks=20, trials=trials)

    assert cold.exceeds(1.25)
    assert not after(0.0, 0.0, 0.0, blocks=60, trials=trials, known=cold).exceeds(1.25)


def test_equal_arms_are_seldom_taken_for_unequal_ones():
    draw, known, taken = random.Random(8), UNKNOWN, 0
    for _ in range(3000):
        arms = (Tally(6, sum(draw.random() < 0.2 for _ in range(6))) for _ in range(2))
        known = known.after(EdgeTallies(*arms, Tally(30, 1)))
        taken += known.exceeds(1.25)

    assert taken < 0.05 * 3000


def test_a_restart_changes_nothing():
    straight = restored = UNKNOWN
    for seed in range(5):
        straight = after(0.4, blocks=3, known=straight, seed=seed)
        restored = after(0.4, blocks=3, known=restored, seed=seed)
        restored = Coldness.from_state(json.loads(json.dumps(restored.to_state())))

    assert restored == straight
    assert Coldness.from_state(()) == UNKNOWN

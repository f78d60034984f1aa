"""Processes without a concurrent control: an objective, and the control's record after full weight."""

import math
import random

import pytest

from pitwall_operator.evidence.contrast import Measure
from pitwall_operator.evidence.counts import Counts, Tally
from pitwall_operator.evidence.objective import ObjectiveProcess
from pitwall_operator.evidence.record import Record, RecordProcess


def arm(draw, rate, trials=50):
    return Tally(trials, sum(draw.random() < rate for _ in range(trials)))


def test_an_objective_that_is_just_met_is_rarely_called_broken():
    draw, alpha, runs, crossed = random.Random(5), 0.1, 300, 0
    for _ in range(runs):
        process = ObjectiveProcess()
        for _ in range(60):
            process = process.against(0.05, arm(draw, 0.05, 20))
        crossed += process.peak_log_e >= -math.log(alpha)
    assert crossed / runs <= alpha + 3 * math.sqrt(alpha * (1 - alpha) / runs)


def test_known_value_of_a_single_alternative():
    process = ObjectiveProcess().against(0.5, Tally(4, 3))
    rates = [odds / (1 + odds) for odds in (1.25, 1.5, 2, 3, 5)]
    factors = [1, *(16 * rate**3 * (1 - rate) for rate in rates)]
    assert process.log_e == pytest.approx(math.log(sum(factors) / 6))


def test_how_a_block_is_split_hardly_matters():
    """Exactly so for each bet; spreading wealth anew at every block leaves a trace."""
    whole = ObjectiveProcess().against(0.1, Tally(30, 9))
    parts = ObjectiveProcess().against(0.1, Tally(10, 2)).against(0.1, Tally(20, 7))
    assert parts.log_e == pytest.approx(whole.log_e, abs=0.05)


@pytest.mark.parametrize("limit", [0.0, 1.0])
def test_a_limit_that_cannot_be_broken_or_met_says_nothing(limit):
    assert ObjectiveProcess().against(limit, Tally(30, 9)).log_e == 0


def test_objective_is_restored_exactly():
    process = ObjectiveProcess().against(0.1, Tally(30, 9))
    assert ObjectiveProcess().restored(process.to_state()) == process


def test_the_records_limit_is_three_standard_errors_above_the_mean():
    record = Record()
    for value in (4.0, 6.0, 5.0, 5.0):
        record = record.with_block(10, value)
    assert record.limit == pytest.approx(0.5 + 3 * math.sqrt(2) / 40)


@pytest.mark.parametrize(
    ("rate", "is_harm"), [pytest.param(0.04, False, id="within-the-ratio"), pytest.param(0.2, True, id="beyond-it")]
)
def test_full_weight_is_held_against_the_record(rate, is_harm):
    draw, process = random.Random(9), RecordProcess(2.0, Measure.RATE)
    for _ in range(50):
        process = process.update(Counts(arm(draw, 0.03), arm(draw, 0.03)))
    assert process.log_e == 0
    for _ in range(60):
        process = process.update(Counts(candidate=arm(draw, rate)))
    assert (process.peak_log_e > math.log(100)) is is_harm
    assert RecordProcess(2.0, Measure.RATE).restored(process.to_state()) == process


def test_without_a_record_nothing_can_be_broken():
    process = RecordProcess(2.0, Measure.RATE)
    assert process.update(Counts(candidate=Tally(50, 50))) is process

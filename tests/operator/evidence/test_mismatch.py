"""Sample-ratio mismatch and the A/A monitor: silent on sound splits, loud on broken ones."""

import math
import random

import pytest

from pitwall_operator.evidence.calibration import Calibration
from pitwall_operator.evidence.counts import Tally
from pitwall_operator.evidence.mismatch import MismatchProcess, log_bayes_factor

SHARES = (0.1, 0.1, 0.8)


def users(draw, shares, count=50):
    return [draw.choices(range(len(shares)), shares)[0] for _ in range(count)]


def counted(drawn, arms):
    return tuple(drawn.count(index) for index in range(arms))


def run(shares, blocks, seed):
    draw, process = random.Random(seed), MismatchProcess()
    for _ in range(blocks):
        process = process.update(counted(users(draw, shares), 3), SHARES)
    return process


def test_a_sound_split_rarely_alarms():
    alpha, runs = 0.1, 200
    crossed = sum(run(SHARES, 40, seed).peak_log_e >= -math.log(alpha) for seed in range(runs))
    assert crossed / runs <= alpha + 3 * math.sqrt(alpha * (1 - alpha) / runs)


def test_a_broken_split_alarms():
    assert run((0.07, 0.13, 0.8), 60, 1).peak_log_e > math.log(1000)


def test_known_value():
    # Dirichlet(90, 10) prior, one user in the first arm: predictive probability equals its share
    assert log_bayes_factor((1, 0), (0.9, 0.1)) == pytest.approx(0)
    # two users in the small arm: 10/100 · 11/101 against 1/100
    assert log_bayes_factor((0, 2), (0.9, 0.1)) == pytest.approx(math.log(0.1 * 11 / 101 / 0.01))


def test_evidence_survives_a_new_split():
    before = run((0.07, 0.13, 0.8), 20, 1)
    after = before.update((100, 100), (0.5, 0.5))
    assert after.earlier_log_e == before.log_e
    assert after.peak_log_e >= before.peak_log_e


def test_how_a_block_is_split_does_not_matter():
    whole = MismatchProcess().update((7, 12, 90), SHARES)
    parts = MismatchProcess().update((7, 0, 30), SHARES).update((0, 12, 60), SHARES)
    assert parts.log_e == whole.log_e


def test_shares_must_be_shares():
    with pytest.raises(ValueError, match="add up to 1"):
        MismatchProcess().update((1, 2), (0.5, 0.4))


def test_mismatch_is_restored_exactly():
    process = run(SHARES, 3, 4)
    assert MismatchProcess().restored(process.to_state()) == process


def slices(draw, correlation, trials=60, rate=0.05):
    size = 1 / correlation - 1
    own = draw.betavariate(rate * size, (1 - rate) * size)
    return Tally(trials, sum(draw.random() < own for _ in range(trials)))


def test_monitor_tells_correlation_from_a_real_difference():
    draw, monitor = random.Random(41), Calibration()
    for _ in range(200):
        monitor = monitor.update(slices(draw, 0.2), slices(draw, 0.2))
    assert monitor.log_e_against_independence > math.log(100)
    assert monitor.log_e_against_exchange < math.log(100)
    for _ in range(60):
        monitor = monitor.update(slices(draw, 0.2), slices(draw, 0.2, rate=0.3))
    assert monitor.log_e_against_exchange > math.log(100)
    assert Calibration().restored(monitor.to_state()) == monitor

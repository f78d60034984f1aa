"""The asymptotic process: rare false proofs on dirty blocks, a proof where it should be, no verdict in the burn-in."""

import math
import random

import pytest

from pitwall_operator.evidence.basis.counts import Counts, Tally
from pitwall_operator.evidence.basis.null_boundary import Claim, NullBoundary
from pitwall_operator.evidence.contrast import BURN_IN, ContrastProcess, Measure, log_e_of_drift


def arm(draw, rate, trials=40, correlation=0.05):
    size = 1 / correlation - 1
    own = draw.betavariate(rate * size, (1 - rate) * size)
    return Tally(trials, sum(draw.random() < own for _ in range(trials)))


@pytest.mark.parametrize(
    ("line", "rates"),
    [
        pytest.param(NullBoundary(ratio=2), (0.05, 0.1), id="ratio"),
        pytest.param(NullBoundary(offset=0.03), (0.02, 0.05), id="difference"),
    ],
)
def test_false_proofs_at_the_margin_are_as_rare_as_promised(line, rates):
    draw, alpha, runs, crossed = random.Random(23), 0.1, 200, 0
    for _ in range(runs):
        process = ContrastProcess(line, Claim.NON_INFERIOR, Measure.RATE)
        for _ in range(120):
            process = process.update(Counts(*(arm(draw, rate) for rate in rates)))
        crossed += process.peak_log_e >= -math.log(alpha)
    assert crossed / runs <= alpha + 2 * math.sqrt(alpha * (1 - alpha) / runs)


def test_rare_bursts_of_the_candidate_are_not_mistaken_for_non_inferiority():
    """Better in nine blocks of ten and thirty times worse in the tenth: most blocks won, and yet worse on average."""
    draw, process = random.Random(29), ContrastProcess(NullBoundary(ratio=1.5), Claim.NON_INFERIOR, Measure.RATE)
    for block in range(400):
        candidate = Tally(50, 15) if block % 10 == 9 else Tally(50, 0)
        process = process.update(Counts(arm(draw, 0.01, 50), candidate))
    assert process.peak_log_e < math.log(20)


@pytest.mark.parametrize("trials", [1, 3])
def test_thirty_quiet_blocks_of_few_queries_are_no_proof_of_few_errors(trials):
    """With one query per block and 2 % more failures, half of all runs see none in thirty blocks."""
    draw, alpha, runs, crossed = random.Random(37), 0.05, 200, 0
    for _ in range(runs):
        process = ContrastProcess(NullBoundary(offset=0.02), Claim.NON_INFERIOR, Measure.RATE)
        for _ in range(150):
            failed = sum(draw.random() < 0.02 for _ in range(trials))
            process = process.update(Counts(Tally(trials), Tally(trials, failed)))
        crossed += process.peak_log_e >= -math.log(alpha)
    assert crossed / runs <= alpha + 2 * math.sqrt(alpha * (1 - alpha) / runs)


@pytest.mark.parametrize("claim", list(Claim))
def test_skewed_means_on_the_line_are_rarely_called_worse_or_no_worse(claim):
    """Times to select frames: lognormal, a few per block, the candidate exactly at its margin."""
    draw, alpha, runs, crossed = random.Random(39), 0.1, 200, 0
    for _ in range(runs):
        process = ContrastProcess(NullBoundary(ratio=1.1), claim, Measure.MEAN)
        for _ in range(100):
            arms = (sum(scale * draw.lognormvariate(0, 1) for _ in range(8)) for scale in (1.0, 1.1))
            process = process.update(Counts(*(Tally(8, 0, value) for value in arms)))
        crossed += process.peak_log_e >= -math.log(alpha)
    assert crossed / runs <= alpha + 2 * math.sqrt(alpha * (1 - alpha) / runs)


@pytest.mark.parametrize("claim", list(Claim))
def test_a_clear_difference_of_means_is_proven(claim):
    draw, process = random.Random(31), ContrastProcess(NullBoundary(ratio=1.1), claim, Measure.MEAN)
    mean = 1500 if claim is Claim.HARM else 900
    for _ in range(40):
        process = process.update(Counts(Tally(9, 0, 9000 + draw.gauss(0, 900)), Tally(9, 0, 9 * mean)))
    assert process.peak_log_e > math.log(200)


def test_nothing_is_said_during_the_burn_in():
    assert log_e_of_drift(1e6, 1.0, BURN_IN - 1) == 0.0


def test_known_value():
    # one-sided normal mixture at 60 blocks, standardized sum 12, tightest at 30:
    # 2 · sqrt(30 / 90) · exp(144 / 180) · Φ(12 / √90)
    expected = 2 * math.sqrt(30 / 90) * math.exp(144 / 180) * 0.5 * math.erfc(-12 / math.sqrt(90) / math.sqrt(2))
    assert log_e_of_drift(12.0, 60.0, 60) == pytest.approx(math.log(expected))


def test_scale_does_not_matter():
    assert log_e_of_drift(12.0, 60.0, 60) == pytest.approx(log_e_of_drift(12e3, 60e6, 60))


def test_restoring_loses_nothing():
    process = ContrastProcess(NullBoundary(ratio=1.1), Claim.HARM, Measure.MEAN)
    process = process.update(Counts(Tally(3, 0, 0.1), Tally(7, 0, 0.7)))
    assert ContrastProcess(NullBoundary(ratio=1.1), Claim.HARM, Measure.MEAN).restored(process.to_state()) == process

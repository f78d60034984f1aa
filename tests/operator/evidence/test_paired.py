"""Pairs of the shadow: the closed form equals its integral, and the bound holds."""

import math
import random

import pytest
from scipy.integrate import quad

from pitwall_operator.evidence.basis.counts import Counts, Pairs
from pitwall_operator.evidence.basis.null_boundary import Claim
from pitwall_operator.evidence.paired import Against, PairedProcess, log_e_of_majority


@pytest.mark.parametrize(("for_", "against"), [(0, 0), (1, 0), (0, 1), (12, 3), (40, 55), (200, 120)])
def test_closed_form_equals_the_integral(for_, against):
    def integrand(p):
        return (2 * p) ** for_ * (2 * (1 - p)) ** against * 2 / (math.pi * math.sqrt(p * (1 - p)))

    value, _ = quad(integrand, 0.5, 1, limit=400)
    assert log_e_of_majority(for_, against) == pytest.approx(math.log(value), abs=1e-6)


def test_far_against_it_stays_finite():
    assert -701 < log_e_of_majority(0, 100_000) < 0


@pytest.mark.parametrize("claim", list(Claim))
def test_crossing_under_the_null_is_as_rare_as_promised(claim):
    draw, alpha, runs, crossed = random.Random(11), 0.1, 400, 0
    for _ in range(runs):
        process = PairedProcess(claim, Against.BETTER)
        for _ in range(150):
            worse = draw.random() < 0.5
            process = process.update(Counts(pairs=Pairs(1, int(worse), int(not worse))))
        crossed += process.peak_log_e >= -math.log(alpha)
    assert crossed / runs <= alpha + 3 * math.sqrt(alpha * (1 - alpha) / runs)


def test_how_a_block_is_split_does_not_matter():
    whole = PairedProcess(Claim.HARM, Against.BETTER).update(Counts(pairs=Pairs(30, 12, 5)))
    parts = PairedProcess(Claim.HARM, Against.BETTER)
    for part in (Pairs(10, 1, 4), Pairs(3, 3, 0), Pairs(17, 8, 1)):
        parts = parts.update(Counts(pairs=part))
    assert parts.log_e == whole.log_e


def test_ties_say_nothing_about_harm_but_speak_for_non_inferiority():
    ties = Counts(pairs=Pairs(40, 0, 0))
    assert PairedProcess(Claim.HARM, Against.BETTER).update(ties).log_e == pytest.approx(0)
    assert PairedProcess(Claim.NON_INFERIOR, Against.NOT_WORSE).update(ties).log_e > 20


def test_restoring_loses_nothing():
    process = (
        PairedProcess(Claim.HARM, Against.BETTER)
        .update(Counts(pairs=Pairs(30, 12, 5)))
        .update(Counts(pairs=Pairs(30, 1, 20)))
    )
    assert PairedProcess(Claim.HARM, Against.BETTER).restored(process.to_state()) == process

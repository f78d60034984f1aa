"""Wealth over bets: moving it changes no total, and a late winner is found although it lost for long."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitwall_operator.evidence.basis.portfolio import Portfolio, log_mean_exp

GAINS = st.lists(st.tuples(st.floats(-3, 3), st.floats(-3, 3)), max_size=20)


@given(GAINS)
def test_spreading_anew_changes_no_total(rounds):
    portfolio = Portfolio.of(2)
    for gains in rounds:
        grown = log_mean_exp([value + gain for value, gain in zip(portfolio.logs, (0.0, *gains), strict=True)])
        portfolio = portfolio.after(gains)
        assert portfolio.log_e == pytest.approx(grown, abs=1e-9)


def test_a_late_winner_does_not_have_to_earn_back_its_losses():
    portfolio = Portfolio.of(2)
    for _ in range(2000):
        portfolio = portfolio.after((-0.5, -0.1))
    assert portfolio.log_e > -5
    rounds = 0
    while portfolio.log_e < math.log(200):
        portfolio, rounds = portfolio.after((0.5, 0.1)), rounds + 1
    assert rounds < 60


def test_the_peak_is_kept():
    portfolio = Portfolio.of(1).after((5.0,)).after((-9.0,))
    assert portfolio.log_e < 1 < portfolio.peak_log_e


@given(GAINS)
def test_it_is_restored_exactly(rounds):
    portfolio = Portfolio.of(2)
    for gains in rounds:
        portfolio = portfolio.after(gains)
    assert Portfolio.from_state(portfolio.to_state()) == portfolio

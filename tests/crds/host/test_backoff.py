"""Pauses between attempts."""

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitwall_crds.host.backoff import Backoff


@pytest.mark.parametrize(
    ("failures", "pause"),
    [
        pytest.param(0, 0.5, id="no failure counts as one"),
        pytest.param(1, 0.5, id="the first pause is the shortest"),
        pytest.param(2, 1.0, id="each failure doubles it"),
        pytest.param(4, 4.0, id="three failures more, eight times as long"),
        pytest.param(5, 7.0, id="up to the limit"),
        pytest.param(10**9, 7.0, id="however long the outage"),
    ],
)
def test_a_pause_doubles_up_to_its_limit(failures, pause):
    assert Backoff(0.5, 7.0).seconds(failures) == pause


@given(st.integers(0, 10**6), st.integers())
def test_a_spread_pause_stays_within_its_range(failures, seed):
    whole = Backoff(0.5, 60.0).seconds(failures)

    assert whole / 2 <= Backoff(0.5, 60.0, spread=(0.5, 1.0)).seconds(failures, random.Random(seed)) <= whole


def test_two_who_fail_together_come_back_at_different_times():
    backoff, dice = Backoff(1.0, 60.0, spread=(0.8, 1.2)), random.Random(1)

    assert backoff.seconds(3, dice) != backoff.seconds(3, dice)


def test_its_pauses_have_no_end_and_begin_anew_for_everyone():
    backoff = Backoff(0.25, 1.0)

    assert list(itertools.islice(backoff, 5)) == [0.25, 0.5, 1.0, 1.0, 1.0]
    assert next(iter(backoff)) == 0.25

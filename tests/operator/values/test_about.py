"""Durations and numbers as people say them."""

import pytest

from pitwall_operator.values import about


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "at once"),
        (0.2, "about 1 s"),
        (119, "about 119 s"),
        (120, "about 2 minutes"),
        (3 * 3600, "about 3 hours"),
        (3.2 * 86_400, "about 3 days"),
        (200 * 86_400, "about 7 months"),
        (3 * 365 * 86_400, "about 3 years"),
        (1234 * 365 * 86_400, "about 1200 years"),
    ],
)
def test_a_duration_has_two_digits_and_a_unit(seconds, words):
    assert about.duration(seconds) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0, "0"),
        (12.1, "13"),
        (23.4, "about 23"),
        (1234, "about 1200"),
        (10_220_770, "about 10 million"),
        (3e9, "about 3 billion"),
    ],
)
def test_a_number_has_two_digits_that_mean_something(value, words):
    assert about.number(value) == words

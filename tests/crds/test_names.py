"""Whose a flag of copies is, by its key alone."""

from itertools import product

import pytest

from pitwall_crds.names import experiment_flag, is_reserved, main_flag, shadow_flag

PARTS = ("a", "shadow", "experiment", "experiments")
KEYS = [".".join(parts) for length in (1, 2, 3, 4) for parts in product(PARTS, repeat=length)]


@pytest.mark.parametrize(
    ("key", "main"),
    [
        pytest.param("a", "", id="a flag of traffic"),
        pytest.param("a.shadow", "a", id="the candidate's copies"),
        pytest.param("a.experiment.v3", "a", id="an experiment's"),
        pytest.param("a.experiment.shadow", "a", id="those of an experiment that is called shadow"),
        pytest.param("a.shadows", "", id="one that begins alike"),
    ],
)
def test_the_flag_whose_copies_a_key_is_about(key, main):
    assert main_flag(key) == main


@pytest.mark.parametrize("flag", [key for key in KEYS if not is_reserved(key)])
def test_the_copies_of_a_flag_that_may_be_are_nobody_elses(flag):
    copies = [shadow_flag(flag), *(experiment_flag(flag, variant) for variant in PARTS)]

    assert {main_flag(key) for key in copies} == {flag}
    assert all(is_reserved(key) for key in copies)

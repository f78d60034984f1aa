"""What nothing that counts can show is told before it is computed with."""

import math

import pytest

from pitwall_crds.names import Metric
from pitwall_operator.observe.countable import LARGEST, sample_fault


@pytest.mark.parametrize(
    ("value", "words"),
    [
        pytest.param(-1, "pitwall_x is -1", id="below zero"),
        pytest.param(math.nan, "pitwall_x is nan", id="no number"),
        pytest.param(math.inf, "pitwall_x is inf", id="infinite"),
        pytest.param(2 * LARGEST, "pitwall_x is 1.80144e+16", id="more than a counter reaches"),
        pytest.param(10**400, "pitwall_x is a number of hundreds of digits", id="more than a float holds"),
    ],
)
def test_what_cannot_be_counted_is_named(value, words):
    assert sample_fault("pitwall_x", {}, value).startswith(words)


@pytest.mark.parametrize("value", [0, 0.5, 7, LARGEST])
def test_what_may_be_counted_is_no_fault(value):
    assert not sample_fault("pitwall_x", {}, value)


def test_the_way_to_most_users_may_lead_down():
    assert not sample_fault(Metric.EVIDENCE_SHIFT, {}, -0.5)
    assert sample_fault(Metric.EVIDENCE_SHIFT, {}, -math.inf)


@pytest.mark.parametrize(
    ("labels", "is_fault"), [({}, True), ({"le": "x"}, True), ({"le": "0.5"}, False), ({"le": "+Inf"}, False)], ids=str
)
def test_a_bucket_has_an_edge(labels, is_fault):
    assert bool(sample_fault("pitwall_x_bucket", labels, 1.0)) is is_fault

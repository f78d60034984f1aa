"""Recall and paired intervals, worked by hand."""

from statistics import NormalDist

import numpy as np
import pytest
from benchmarks.evidence.cases import EvidenceCase
from benchmarks.evidence.measure import BUDGETS, recalls, rows

from pitwall_runtime.media import Shot


def case(*evidence, count=100, length="≤ 10 min"):
    relevance = np.random.default_rng(0).uniform(0, 0.1, count).astype(np.float32)
    seconds = np.arange(count, dtype=np.float64)
    return EvidenceCase("q", relevance, None, seconds, (Shot(0, count),), evidence, length)


def test_a_moment_is_hit_by_a_frame_inside_and_ends_before_its_end():
    one = case((10, 12), (50, 60), (90, 91))

    assert one.recall((9, 12, 55)) == pytest.approx(1 / 3)
    assert one.recall((11, 50, 59, 90)) == 1.0
    assert one.moments == "≥ 3"
    assert case((1, 2)).moments == "1"


def test_uniform_finds_what_is_long_enough():
    _, found = recalls([case((0, 13)), case((1, 5))], ["quota", "uniform"])

    assert found[:, 1, 0].tolist() == [1.0, 0.0]  # of 100 frames the 6th, 18th, …


def test_intervals_are_paired_and_hold_together():
    cases = [case((1, 2)) for _ in range(4)]
    found = np.zeros((4, 3, len(BUDGETS)))
    found[:, 0, 0] = [1, 1, 0, 1]  # the default
    found[:, 1, 0] = [0, 1, 0, 0]
    found[:, 2, 0] = [1, 1, 0, 1]
    made = {
        row.sampler: row
        for row in rows(cases, found, ["quota", "topk", "aks"])
        if row.stratum == "all" and row.budget == 8
    }
    half = NormalDist().inv_cdf(1 - 0.05 / 2 / 2) * np.std([1, 0, 0, 1], ddof=1) / 2

    assert made["quota"].recall == 0.75
    assert made["topk"].default_minus == 0.5
    assert made["topk"].low == pytest.approx(0.5 - half, abs=1e-4)
    assert made["topk"].high == pytest.approx(0.5 + half, abs=1e-4)
    assert not made["topk"].is_ahead
    assert (made["aks"].low, made["aks"].high) == (0, 0)


def test_one_that_is_surely_better_is_ahead():
    cases = [case((1, 2)) for _ in range(30)]
    found = np.zeros((30, 2, len(BUDGETS)))
    found[5:, 1] = 1.0

    assert all(row.is_ahead for row in rows(cases, found, ["quota", "topk"]) if row.sampler == "topk")


def test_a_single_case_proves_nothing():
    found = np.zeros((1, 2, len(BUDGETS)))
    found[:, 1] = 1.0
    alone = [row for row in rows([case((1, 2))], found, ["quota", "topk"]) if row.sampler == "topk"]

    assert all((row.low, row.high) == (-1, 1) for row in alone)

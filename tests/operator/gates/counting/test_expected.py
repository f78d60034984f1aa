"""Imagined blocks are drawn as scipy.stats would draw them, which takes too long to import for a start."""

import re
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

import pitwall_operator
from pitwall_crds.rollout.gate import Gate, RateMetric, RateRule
from pitwall_operator.gates.counting import sobol
from pitwall_operator.gates.counting.expected import Flow, GateNow, imagined

THUMBS = Gate(name="thumbs-down", rate=RateRule(metric=RateMetric.THUMBS_DOWN))
BLOCKS = 512


def drawn(dimensions, number):
    from scipy.stats import qmc

    return qmc.Sobol(dimensions, scramble=False).fast_forward(256).random(number).T


def test_the_points_are_those_of_scipy():
    assert (sobol.points(np.arange(256, 2048)) == drawn(sobol.DIMENSIONS, 2048 - 256)).all()


@pytest.mark.parametrize("expected", [0.01, 0.7, 4.0, 19.0])
@pytest.mark.parametrize("rate", [0.0, 0.002, 0.1, 0.6, 1.0])
def test_trials_and_bad_ones_follow_their_laws(expected, rate):
    from scipy.stats import binom, poisson

    blocks = list(islice(imagined(THUMBS, GateNow(rate, 1.0), Flow(expected, expected), 1.0, 1.0), BLOCKS))
    points = drawn(6, BLOCKS)
    for arm, row in (("candidate", 0), ("control", 1)):
        trials = poisson.ppf(points[row], expected)
        bad = np.clip(np.nan_to_num(binom.ppf(points[3 + row], np.maximum(trials, 1), rate)), 0, trials)
        assert [getattr(block, arm).trials for block in blocks] == trials.tolist()
        assert [getattr(block, arm).bad for block in blocks] == bad.tolist()


def test_the_operator_imports_no_scipy_stats():
    sources = Path(pitwall_operator.__file__).parent.rglob("*.py")
    assert not [
        path for path in sources if re.search(r"(?m)^\s*(from|import) scipy\.(stats|optimize)", path.read_text())
    ]

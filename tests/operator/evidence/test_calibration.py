"""The A/A monitor: silent between equal arms, loud between unequal ones, whichever is worse."""

import json
import math
import random

import pytest

from pitwall_crds.rollout.gate import Dependence, Gate
from pitwall_operator.evidence.basis.counts import Counts, Tally
from pitwall_operator.evidence.basis.null_boundary import Claim, NullBoundary
from pitwall_operator.evidence.bernoulli import BernoulliProcess, Prior
from pitwall_operator.evidence.calibration import Calibration
from pitwall_operator.evidence.contrast import ContrastProcess, Measure
from pitwall_operator.evidence.label_swap import LabelSwapProcess
from pitwall_operator.gates.processes import calibration_key, fresh_processes

BLOCK = LabelSwapProcess()
QUERY = BernoulliProcess.start(NullBoundary(), Claim.HARM, Prior(0.05, 10.0))
MEAN = ContrastProcess(NullBoundary(), Claim.HARM, Measure.MEAN)


def slices(draw, correlation, trials=60, rate=0.05):
    """One arm of a block whose own bad rate is beta distributed."""
    size = 1 / correlation - 1
    own = draw.betavariate(rate * size, (1 - rate) * size)
    return Tally(trials, sum(draw.random() < own for _ in range(trials)))


def monitored(process, blocks):
    monitor = Calibration(process, process)
    for block in blocks:
        monitor = monitor.update(block)
    return monitor


@pytest.mark.parametrize("rest", [40, 90], ids=["equal-slices", "the-rest-is-larger"])
def test_equal_arms_rarely_alarm_however_correlated_a_block_is(rest):
    draw, alpha, runs, crossed = random.Random(41), 0.1, 150, 0
    for _ in range(runs):
        blocks = [block_of(draw, 40, rest) for _ in range(60)]
        crossed += monitored(BLOCK, blocks).peak_log_e >= -math.log(alpha)
    assert crossed / runs <= alpha + 3 * math.sqrt(alpha * (1 - alpha) / runs)


def block_of(draw, control, rest, rate=0.05, correlation=0.1):
    """Control and stable share their block's luck."""
    size = 1 / correlation - 1
    own = draw.betavariate(rate * size, (1 - rate) * size)
    arms = (Tally(trials, sum(draw.random() < own for _ in range(trials))) for trials in (control, rest))
    return Counts(control=next(arms), stable=next(arms))


def test_independence_is_doubted_where_only_blocks_are_equal():
    draw = random.Random(41)
    blocks = [Counts(control=slices(draw, 0.2), stable=slices(draw, 0.2)) for _ in range(200)]
    assert monitored(QUERY, blocks).peak_log_e > math.log(100)
    assert monitored(BLOCK, blocks).peak_log_e < math.log(100)


@pytest.mark.parametrize("worse", ["control", "stable"])
def test_a_real_difference_is_found_in_either_direction(worse):
    draw = random.Random(43)
    rates = {"control": 0.05, "stable": 0.05, worse: 0.3}
    blocks = [Counts(**{arm: slices(draw, 0.1, rate=rate) for arm, rate in rates.items()}) for _ in range(60)]
    assert monitored(BLOCK, blocks).peak_log_e > math.log(100)


def test_means_are_monitored_by_blocks():
    draw = random.Random(3)
    blocks = [
        Counts(control=Tally(9, 0, 9 * draw.gauss(100, 9)), stable=Tally(80, 0, 80 * draw.gauss(130, 3)))
        for _ in range(50)
    ]
    assert monitored(MEAN, blocks).peak_log_e > math.log(100)


def test_a_block_without_the_rest_of_stable_says_nothing():
    monitor = Calibration(BLOCK, BLOCK)
    assert monitor.update(Counts(control=Tally(9, 3), candidate=Tally(9, 3))) is monitor


def test_restoring_at_every_block_changes_nothing():
    gate = Gate.model_validate({"name": "e", "rate": {"metric": "ThumbsDown"}})
    draw = random.Random(5)
    for dependence in Dependence:
        fresh = straight = restored = fresh_processes(gate)[calibration_key(gate, dependence)]
        for _ in range(30):
            block = block_of(draw, 20, 90)
            straight = straight.update(block)
            restored = fresh.restored(json.loads(json.dumps(restored.update(block).to_state())))
            assert restored == straight

"""How long slowness lasts, estimated from traffic whose truth is known."""

import random

import pytest

from pitwall_crds.names import Arm
from pitwall_gateway.values.memory import BATCH_SECONDS, HISTORY_SECONDS, MemoryEstimator
from pitwall_gateway.values.memory_gauges import FRESH_SECONDS, MemoryGauges
from pitwall_gateway.values.series import ArmSeries

START = 50_000.0


def stalls(dice, mean_seconds, gap_seconds, end):
    """Beginnings and ends of a pod's stalls, in order."""
    at = dice.expovariate(1 / gap_seconds)
    while at < end:
        lasts = dice.expovariate(1 / mean_seconds)
        yield at, at + lasts
        at += lasts + dice.expovariate(1 / gap_seconds)


def traffic(seed, rate, end, stalled=()):
    """Poisson questions as (asked, seconds), in the order of their answers; in a stall they wait for its end."""
    dice = random.Random(seed)
    waits, at, told = list(stalled), 0.0, []
    while (at := at + dice.expovariate(rate)) < end:
        while waits and waits[0][1] < at:
            waits.pop(0)
        stuck = waits[0][1] - at if waits and waits[0][0] <= at else 0.0
        told.append((at, stuck + dice.lognormvariate(-1.2, 0.5)))
    return sorted(told, key=sum)


def estimated(told, now):
    estimator = MemoryEstimator()
    for asked, seconds in told:
        estimator.answered(START + asked, seconds)
    return estimator.estimate(START + now)


@pytest.mark.parametrize(("rate", "end"), [(10, 7200), (1, 7200), (10, 1200)])
@pytest.mark.parametrize("seed", range(3))
def test_traffic_without_memory_needs_only_the_shortest_blocks(seed, rate, end):
    found = estimated(traffic(seed, rate, end), end)

    assert found.memory_seconds == BATCH_SECONDS[0]
    assert end - 400 <= found.history_seconds <= end


@pytest.mark.parametrize("rate", [1, 10])
@pytest.mark.parametrize(("mean", "gap", "at_least", "at_most"), [(3, 60, 5, 90), (15, 200, 20, 120)])
@pytest.mark.parametrize("seed", range(3))
def test_stalls_need_blocks_that_outlast_them(seed, mean, gap, at_least, at_most, rate):
    """In 280 simulations the answers were 8 to 90 s for stalls of 3 s, and 30 to 120 s for stalls of 15 s."""
    waits = stalls(random.Random(seed), mean, gap, 7200)

    assert at_least <= estimated(traffic(seed, rate, 7200, waits), 7200).memory_seconds <= at_most


@pytest.mark.parametrize(("rate", "end"), [(0.2, 7200), (10, 600), (1, 60)])
def test_thin_or_young_traffic_does_not_tell(rate, end):
    assert estimated(traffic(1, rate, end), end) is None


def test_nothing_asked_is_nothing_known():
    assert MemoryEstimator().estimate(START) is None


def test_history_that_is_older_than_the_window_is_forgotten():
    estimator = MemoryEstimator()
    waits = stalls(random.Random(1), 15, 200, 7200)
    for asked, seconds in traffic(1, 5, 7200, waits):
        estimator.answered(START + asked, seconds)
    for asked, seconds in traffic(2, 5, 7500):
        estimator.answered(START + HISTORY_SECONDS + asked, seconds)

    assert estimator.estimate(START + HISTORY_SECONDS + 7500).memory_seconds == BATCH_SECONDS[0]
    assert estimator.estimate(START + 10 * HISTORY_SECONDS) is None


def test_answers_of_stable_and_control_are_its_variants_history_and_others_are_not():
    now = [START + 1800.0]
    gauges = MemoryGauges(lambda: now[0])
    for number, (asked, seconds) in enumerate(traffic(1, 4, 1800)):
        gauges.answered(ArmSeries("uniform-v1", (Arm.STABLE, Arm.CONTROL)[number % 2], "run"), START + asked, seconds)
        gauges.answered(ArmSeries("aks-v2", Arm.CANDIDATE, "run"), START + asked, seconds)

    samples = [sample for family in gauges.collect() for sample in family.samples]

    assert {sample.labels["sampler_variant"] for sample in samples} == {"uniform-v1"}
    assert next(sample.value for sample in samples) == BATCH_SECONDS[0]


def test_an_estimate_is_kept_for_a_while():
    now = [START + 1800.0]
    gauges = MemoryGauges(lambda: now[0])
    series = ArmSeries("uniform-v1", Arm.STABLE)
    for asked, seconds in traffic(1, 4, 1800):
        gauges.answered(series, START + asked, seconds)

    def history():
        return [family.samples[0].value for family in gauges.collect()][1]

    first = history()
    now[0] += FRESH_SECONDS / 2
    again = history()
    now[0] += FRESH_SECONDS

    assert first == again < history()

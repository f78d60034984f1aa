"""How long slowness of a pod lasts, estimated from traffic whose truth is known."""

import heapq
import logging
import random

import pytest

from pitwall_crds.names import Arm
from pitwall_gateway.counting.gauges.memory import FRESH_SECONDS, MemoryGauges
from pitwall_gateway.counting.memory import BATCH_SECONDS, PODS, MemoryEstimator
from pitwall_gateway.counting.series import ArmSeries

START = 50_000.0
POD = "http://pod"
DAY = 86_400.0


class SimulatedPod:
    """It stands still as a whole now and then; else whoever asks is served at once."""

    def __init__(self, dice, mean, gap):
        self.dice, self.mean, self.gap = dice, mean, gap
        self.under_way = []
        self.begin = self.end = 0.0

    def busy(self, at):
        while self.under_way and self.under_way[0] <= at:
            heapq.heappop(self.under_way)
        return len(self.under_way)

    def answers(self, at, seconds):
        while self.mean and self.end < at:
            self.begin = self.end + self.dice.expovariate(1 / self.gap)
            self.end = self.begin + self.dice.expovariate(1 / self.mean)
        stands = self.begin < at + seconds and self.end > at
        done = at + seconds + (self.end - max(self.begin, at) if stands else 0.0)
        heapq.heappush(self.under_way, done)
        return done


def traffic(seed, rate, end, pods=1, mean=0.0, gap=600.0):
    """Poisson questions as (URL, asked, seconds), in the order of their answers; each goes to the least busy pod."""
    dice = random.Random(seed)
    fleet, at, told = [SimulatedPod(dice, mean, gap) for _ in range(pods)], 0.0, []
    while (at := at + dice.expovariate(rate)) < end:
        turned = range(len(told), len(told) + pods)
        chosen = min(turned, key=lambda turn: fleet[turn % pods].busy(at)) % pods
        done = fleet[chosen].answers(at, dice.lognormvariate(-1.2, 0.5))
        told.append((f"{POD}-{chosen}", at, done - at))
    return sorted((question for question in told if sum(question[1:]) < end), key=lambda question: sum(question[1:]))


def estimated(told, now):
    estimator = MemoryEstimator()
    for pod, asked, seconds in told:
        estimator.answered(pod, START + asked, seconds)
    return estimator.estimate(START + now)


@pytest.mark.parametrize(("pods", "rate", "end"), [(10, 10, 7200), (1, 10, 7200), (1, 1, 7200), (1, 10, 1200)])
@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.soak)])
def test_traffic_without_memory_needs_only_short_blocks(seed, pods, rate, end):
    found = estimated(traffic(seed, rate, end, pods), end)

    assert found.memory_seconds <= 5
    assert end - 500 <= found.history_seconds <= end
    assert found.pods == pods


@pytest.mark.parametrize(("pods", "rate"), [(10, 10), (1, 1)])
@pytest.mark.parametrize(("mean", "at_least"), [(3, 5), (15, 20)])
@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.soak)])
def test_stalls_of_a_pod_need_blocks_that_outlast_them_however_many_pods_there_are(seed, mean, at_least, pods, rate):
    assert estimated(traffic(seed, rate, 7200, pods, mean), 7200).memory_seconds >= at_least


def test_the_same_stalls_are_lost_where_many_pods_have_one_url():
    """Why pods are told apart; a Service's address before all pods hides what one of them does."""
    told = [(POD, asked, seconds) for _, asked, seconds in traffic(1, 10, 7200, 10, 15)]

    assert estimated(told, 7200).memory_seconds < 20


def test_a_pod_that_is_always_slower_than_its_neighbors_is_no_memory():
    told = [(pod, asked, seconds * (3 if pod.endswith("-1") else 1)) for pod, asked, seconds in traffic(1, 5, 7200, 4)]

    assert estimated(told, 7200).memory_seconds <= 5


@pytest.mark.parametrize(("rate", "pods", "end"), [(0.2, 1, 7200), (0.2, 4, 7200), (1, 60, 7200), (10, 1, 600)])
def test_thin_or_young_traffic_does_not_tell(rate, pods, end):
    assert estimated(traffic(1, rate, end, pods), end) is None


def test_where_pods_are_asked_seldom_no_short_memory_is_claimed():
    """Batches shorter than 10 s hold less than three questions."""
    assert estimated(traffic(1, 1.2, 7200, 4), 7200).memory_seconds >= 12


def test_nothing_asked_is_nothing_known():
    assert MemoryEstimator().estimate(START) is None


def test_history_that_is_older_than_the_window_is_forgotten():
    estimator = MemoryEstimator()
    for begin, told in ((0, traffic(1, 5, 7200, 1, 15)), (7200, traffic(2, 5, 9000))):
        for pod, asked, seconds in told:
            estimator.answered(pod, START + begin + asked, seconds)

    assert estimator.estimate(START + 16200).memory_seconds <= 5
    assert estimator.estimate(START + DAY) is None


def test_after_a_silent_day_a_pod_is_known_by_what_it_does_then():
    told = traffic(1, 5, 3600, 1, 15) + [(pod, DAY + asked, seconds) for pod, asked, seconds in traffic(2, 5, 3600)]

    found = estimated(told, DAY + 3600)

    assert found.memory_seconds <= 5
    assert found.history_seconds <= 3600


def test_of_a_variant_so_many_pods_are_remembered_and_the_one_asked_longest_ago_gives_way():
    estimator = MemoryEstimator()
    for second in range(7000):
        for pod in range(PODS + 1 if second < 10 else PODS):
            estimator.answered(f"{POD}-{pod}", START + second, 0.2)

    assert estimator.estimate(START + 7200).pods == PODS


def test_questions_that_end_long_after_their_time_was_summed_up_do_no_harm():
    estimator = MemoryEstimator()
    for second in range(7000):
        estimator.answered(POD, START + second, 0.2)
        estimator.answered(POD, START + second - 2000, 2000.2)

    assert estimator.estimate(START + 7200).history_seconds <= 7200


def test_answers_of_stable_and_control_are_its_variants_history_and_others_are_not():
    now = [START + 1800.0]
    gauges = MemoryGauges(lambda: now[0])
    for number, (pod, asked, seconds) in enumerate(traffic(1, 4, 1800)):
        arm = (Arm.STABLE, Arm.CONTROL)[number % 2]
        gauges.answered(ArmSeries("uniform-v1", arm, "run"), pod, START + asked, seconds)
        gauges.answered(ArmSeries("aks-v2", Arm.CANDIDATE, "run"), pod, START + asked, seconds)

    samples = [sample for family in gauges.collect() for sample in family.samples]

    assert {sample.labels["sampler_variant"] for sample in samples} == {"uniform-v1"}
    assert next(sample.value for sample in samples) == BATCH_SECONDS[0]


def test_an_estimate_is_kept_for_a_while_and_told_with_its_pods(caplog):
    caplog.set_level(logging.DEBUG, "pitwall_gateway")
    now = [START + 1800.0]
    gauges = MemoryGauges(lambda: now[0])
    series = ArmSeries("uniform-v1", Arm.STABLE)
    told = traffic(1, 4, 3600, 2)

    def hear(since, until):
        for pod, asked, seconds in told:
            if since <= asked + seconds < until:
                gauges.answered(series, pod, START + asked, seconds)

    def history():
        return [family.samples[0].value for family in gauges.collect()][1]

    hear(0, 1800)
    first = history()
    now[0] += FRESH_SECONDS / 2
    again = history()
    hear(1800, 3600)
    now[0] += 1800

    assert first == again < history()
    assert [record.getMessage().split()[-2:] for record in caplog.records] == [["2", "pods"]] * 2

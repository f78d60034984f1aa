"""Where control and stable share their pods, single trials are compared with both: a true bound, and sooner."""

import json
import math
import random

import pytest

from pitwall_crds.rollout.gate import Dependence, Gate, QuantileMetric, QuantileRule, RateMetric, RateRule
from pitwall_crds.rollout.rollout import Analysis
from pitwall_crds.rollout.status import Verdict
from pitwall_operator.evidence.basis.counts import Counts, Tally
from pitwall_operator.evidence.basis.null_boundary import Claim, NullBoundary
from pitwall_operator.evidence.bernoulli import BernoulliProcess, Prior
from pitwall_operator.gates import GateEvidence, StageContext, StageKind

CANARY = StageContext(StageKind.CANARY)
ALPHA, RUNS = 0.1, 400
RAMP = [(4, 392)] * 30 + [(40, 320)] * 20 + [(200, 0)] * 10
"""Trials per block of candidate (and control), and of stable: 1, 10 and 50 %."""


def binomial(draw, trials, rate):
    """Exact for few trials; rounded normal for many, which is close enough for stable's."""
    if trials <= 60:
        return Tally(trials, sum(draw.random() < rate for _ in range(trials)))
    bad = round(draw.gauss(trials * rate, math.sqrt(trials * rate * (1 - rate))))
    return Tally(trials, min(max(bad, 0), trials))


def block(draw, size, rest, rates, *, shared=True):
    stable, candidate = rates
    return Counts(
        control=binomial(draw, size, stable),
        candidate=binomial(draw, size, candidate),
        stable=binomial(draw, rest, stable),
        shared=shared,
    )


@pytest.mark.parametrize(
    ("claim", "line", "base", "depth"),
    [
        pytest.param(Claim.HARM, NullBoundary(), 0.05, 1.0, id="harm-identical"),
        pytest.param(Claim.HARM, NullBoundary(), 0.05, 0.6, id="harm-better"),
        pytest.param(Claim.HARM, NullBoundary(ratio=1.1), 0.2, 1.0, id="harm-at-its-margin"),
        pytest.param(Claim.NON_INFERIOR, NullBoundary(ratio=1.5), 0.1, 1.0, id="non-inferiority-at-its-margin"),
        pytest.param(Claim.NON_INFERIOR, NullBoundary(ratio=3), 0.05, 1.0, id="non-inferiority-at-a-wide-margin"),
        pytest.param(Claim.NON_INFERIOR, NullBoundary(offset=0.05), 0.05, 1.0, id="difference-at-its-margin"),
    ],
)
def test_crossing_under_the_null_over_a_drifting_ramp_is_as_rare_as_promised(claim, line, base, depth):
    draw, crossed = random.Random(5), 0
    for _ in range(RUNS):
        process = BernoulliProcess.start(line, claim, Prior(0.05, 2.0))
        for index, (size, rest) in enumerate(RAMP):
            rate = base * (1 + 0.5 * math.sin(index / 6))
            process = process.update(block(draw, size, rest, (rate, depth * line.height(rate))))
        crossed += process.peak_log_e >= -math.log(ALPHA)
    assert crossed / RUNS <= ALPHA + 3 * math.sqrt(ALPHA * (1 - ALPHA) / RUNS)


def latency(dependence=Dependence.QUERY):
    rule = QuantileRule(metric=QuantileMetric.QUERY_LATENCY)
    return Gate(name="latency-p99", quantile=rule, dependence=dependence)


def blocks_until(verdict, rates, *, shared, gate, seed, most=4000):
    draw, evidence = random.Random(seed), GateEvidence.start(gate, Analysis(gates=(gate,)))
    for count in range(1, most):
        evidence = evidence.update(block(draw, 5, 490, rates, shared=shared))
        if evidence.assess(CANARY).verdict is verdict:
            return count
    return most


def median_blocks(verdict, rates, **how):
    gate = latency()
    return sorted(blocks_until(verdict, rates, gate=gate, seed=seed, **how) for seed in range(11))[5]


@pytest.mark.parametrize(
    ("verdict", "rates"),
    [
        pytest.param(Verdict.HARMFUL, (0.01, 0.083), id="harm"),
        pytest.param(Verdict.NON_INFERIOR, (0.01, 0.01), id="non-inferiority"),
    ],
)
def test_a_verdict_takes_much_less_of_the_candidates_traffic(verdict, rates):
    shared = median_blocks(verdict, rates, shared=True)
    dedicated = median_blocks(verdict, rates, shared=False, most=int(shared / 0.7) + 2)
    assert shared < 0.7 * dedicated


@pytest.mark.parametrize(
    ("dependence", "shared"),
    [
        pytest.param(Dependence.BLOCK, True, id="blocks-need-equal-arms"),
        pytest.param(Dependence.QUERY, False, id="a-dedicated-control-stands-alone"),
    ],
)
def test_what_stable_did_elsewhere_does_not_count(dependence, shared):
    draw, gate = random.Random(3), latency(dependence)
    with_rest = without = GateEvidence.start(gate, Analysis(gates=(gate,)))
    for _ in range(60):
        seen = block(draw, 20, 200, (0.02, 0.1), shared=shared)
        with_rest, without = with_rest.update(seen), without.update(Counts(seen.control, seen.candidate))
    mine, other = (
        {reading.name: reading.log_e for reading in one.assess(CANARY).readings if reading.acting}
        for one in (with_rest, without)
    )
    assert mine == other


def test_restoring_at_every_block_changes_nothing():
    draw, gate = random.Random(3), latency()
    straight = restored = GateEvidence.start(gate, Analysis(gates=(gate,)))
    for _ in range(30):
        seen = block(draw, 5, 100, (0.02, 0.1))
        straight = straight.update(seen)
        state = json.loads(json.dumps(restored.update(seen).to_state()))
        restored = GateEvidence.from_state(gate, Analysis(gates=(gate,)), state)
        assert restored == straight


def test_a_sentence_names_what_was_compared_with():
    gate = Gate(name="thumbs-down", rate=RateRule(metric=RateMetric.THUMBS_DOWN), dependence=Dependence.QUERY)
    seen = Counts(control=Tally(100, 10), candidate=Tally(100, 10), stable=Tally(900, 190), shared=True)
    message = GateEvidence.start(gate, Analysis(gates=(gate,))).update(seen).assess(CANARY).message

    assert "10.0% of users got a thumbs-down, control and stable 20.0%" in message

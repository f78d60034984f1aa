"""The block e-process: exact projection, a true bound under the null, nothing lost on the way to the status."""

import json
import math
import random

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from pitwall_operator.evidence.basis.counts import Counts, Tally
from pitwall_operator.evidence.basis.null_boundary import Claim, NullBoundary
from pitwall_operator.evidence.bernoulli import BernoulliProcess, Prior

LINES = st.one_of(
    st.floats(1, 4).map(lambda ratio: NullBoundary(ratio=ratio)),
    st.floats(0, 0.3).map(lambda offset: NullBoundary(offset=offset)),
)
RATES = st.floats(0.002, 0.9)
SIZES = st.tuples(st.integers(1, 300), st.integers(1, 300))


def divergence(rate: float, null: float) -> float:
    return rate * math.log(rate / null) + (1 - rate) * math.log((1 - rate) / (1 - null))


@given(LINES, SIZES, RATES, RATES)
def test_projection_agrees_with_numerical_minimization(line, trials, control, candidate):
    top = min(1 - line.offset, 1 / line.ratio)

    def cost(base):
        return trials[0] * divergence(control, base) + trials[1] * divergence(candidate, line.height(base))

    found = minimize_scalar(cost, bounds=(1e-9, top - 1e-9), method="bounded", options={"xatol": 1e-12})
    base, above = line.project(trials, control, candidate)
    assert above == pytest.approx(line.height(base))
    assert cost(base) <= found.fun + 1e-7


def log_expected_factor(line, trials, star, projected, truth):
    """ln E[e] of one block, in closed form: the moment generating function of a binomial."""
    total = 0.0
    for n, alternative, null, rate in zip(trials, star, projected, truth, strict=True):
        total += n * math.log(rate * alternative / null + (1 - rate) * (1 - alternative) / (1 - null))
    return total


@given(LINES, SIZES, RATES, RATES, RATES, st.floats(0, 1))
@settings(max_examples=400)
def test_no_block_is_expected_to_grow_anywhere_in_the_null(line, trials, control, candidate, base, depth):
    claim = Claim.HARM if candidate > line.height(control) else Claim.NON_INFERIOR
    projected = line.project(trials, control, candidate)
    height = min(line.height(base), 1.0)
    inside = height * depth if claim is Claim.HARM else height + (1 - height) * depth
    assume(0 < projected[1] < 1 and (claim is Claim.HARM or line.height(base) <= 1))
    assert log_expected_factor(line, trials, (control, candidate), projected, (base, inside)) <= 1e-9


@pytest.mark.parametrize(
    ("claim", "line", "rates"),
    [
        pytest.param(Claim.HARM, NullBoundary(), (0.02, 0.02), id="harm-identical"),
        pytest.param(Claim.HARM, NullBoundary(ratio=1.1), (0.2, 0.22), id="harm-at-its-margin"),
        pytest.param(Claim.NON_INFERIOR, NullBoundary(ratio=1.5), (0.1, 0.15), id="non-inferiority-at-its-margin"),
        pytest.param(Claim.NON_INFERIOR, NullBoundary(offset=0.05), (0.02, 0.07), id="difference-at-its-margin"),
    ],
)
def test_crossing_under_the_null_is_as_rare_as_promised(claim, line, rates):
    alpha, runs = 0.1, 300
    draw = random.Random(5)
    crossed = 0
    for _ in range(runs):
        process = BernoulliProcess.start(line, claim, Prior(0.05, 2.0))
        for _ in range(60):
            process = process.update(Counts(*(binomial(draw, draw.choice((5, 30)), rate) for rate in rates)))
        crossed += process.peak_log_e >= -math.log(alpha)
    # 3 standard deviations above alpha
    assert crossed / runs <= alpha + 3 * math.sqrt(alpha * (1 - alpha) / runs)


def binomial(draw: random.Random, trials: int, rate: float) -> Tally:
    return Tally(trials, sum(draw.random() < rate for _ in range(trials)))


@pytest.mark.parametrize("claim", list(Claim))
def test_restoring_at_every_block_changes_nothing(claim):
    draw = random.Random(3)
    straight = restored = BernoulliProcess.start(NullBoundary(ratio=1.5), claim, Prior(0.01, 50.0))
    for _ in range(50):
        block = Counts(binomial(draw, 40, 0.05), binomial(draw, draw.randint(0, 40), 0.1))
        straight = straight.update(block)
        state = json.loads(json.dumps(restored.update(block).to_state()))
        restored = BernoulliProcess.start(NullBoundary(ratio=1.5), claim, Prior(0.01, 50.0)).restored(state)
        assert restored == straight


def test_known_value_of_a_plug_in_block():
    process = BernoulliProcess.start(NullBoundary(ratio=3), Claim.NON_INFERIOR, Prior(0.1, 10.0))
    process = process.update(Counts(Tally(90, 9), Tally(90, 14)))
    after = process.update(Counts(Tally(10, 1), Tally(10, 5)))
    # alternative (0.1, 0.15), projected onto candidate = 3 · control: root of 60 θ² − 44.5 θ + 2.5
    null = (44.5 - math.sqrt(44.5**2 - 600)) / 120
    expected = math.log(0.1 / null) + 9 * math.log(0.9 / (1 - null))
    expected += 5 * math.log(0.15 / (3 * null)) + 5 * math.log(0.85 / (1 - 3 * null))
    assert after.bets.logs[1] - process.bets.logs[1] == pytest.approx(expected)


@pytest.mark.parametrize(
    "block",
    [
        pytest.param(Counts(), id="nothing"),
        pytest.param(Counts(control=Tally(100, 3)), id="control-only"),
        pytest.param(Counts(candidate=Tally(100, 30)), id="candidate-only"),
    ],
)
def test_a_block_without_both_arms_proves_nothing(block):
    process = BernoulliProcess.start(NullBoundary(), Claim.HARM, Prior(0.01, 50.0)).update(block)
    assert process.log_e == pytest.approx(0)


def test_a_crossing_is_never_forgotten():
    process = BernoulliProcess.start(NullBoundary(), Claim.HARM, Prior(0.01, 50.0))
    for _ in range(10):
        process = process.update(Counts(Tally(50, 0), Tally(50, 10)))
    peak = process.peak_log_e
    for _ in range(50):
        process = process.update(Counts(Tally(50, 10), Tally(50, 0)))
    assert process.log_e < peak == process.peak_log_e


def test_evidence_grows_faster_the_worse_the_candidate_is():
    draw = random.Random(1)
    logs = []
    for rate in (0.01, 0.03, 0.1):
        process = BernoulliProcess.start(NullBoundary(), Claim.HARM, Prior(0.01, 50.0))
        for _ in range(40):
            process = process.update(Counts(binomial(draw, 50, 0.01), binomial(draw, 50, rate)))
        logs.append(process.peak_log_e)
    assert logs[0] < 4.6 < logs[1] < logs[2]


def test_of_very_unequal_numbers_of_trials_no_rate_of_the_null_is_1():
    """A block of one bad trial of the control and a thousand million good ones of the candidate divided by zero."""
    assert NullBoundary(ratio=3.0).project((10**9, 1), 0.99, 1 - 1e-9)[1] < 1

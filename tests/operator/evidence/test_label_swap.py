"""Betting on labels: fair for any pair of exchangeable blocks, with a margin, with unequal arms; nothing else is."""

import json
import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pitwall_operator.evidence.basis.counts import Counts, Tally
from pitwall_operator.evidence.label_swap import BETS, LabelSwapProcess, differences, sampled, thinned

TALLY = st.integers(1, 60).flatmap(lambda trials: st.builds(Tally, st.just(trials), st.integers(0, trials)))


@given(TALLY, TALLY)
def test_swapping_the_labels_of_a_block_is_a_fair_bet(one, other):
    there, back = LabelSwapProcess().update(Counts(one, other)), LabelSwapProcess().update(Counts(other, one))
    for gain, loss in zip(there.bets.logs, back.bets.logs, strict=True):
        assert (math.exp(gain) + math.exp(loss)) / 2 <= 1 + 1e-9


@settings(max_examples=40)
@given(st.integers(1, 25), st.floats(0.01, 0.9), st.floats(1, 3))
def test_a_candidate_at_its_margin_is_a_fair_bet(trials, rate, ratio):
    """Exact expectation over all outcomes of control ~ Bin(n, rate / ratio), candidate ~ Bin(n, rate)."""
    expected = 0.0
    for control in range(trials + 1):
        for candidate in range(trials + 1):
            chance = binomial(trials, control, rate / ratio) * binomial(trials, candidate, rate)
            if chance > 1e-9:
                block = Counts(Tally(trials, control), Tally(trials, candidate))
                expected += chance * math.exp(LabelSwapProcess(ratio).update(block).log_e)
    assert expected <= 1 + 1e-7


@pytest.mark.parametrize(("n", "m"), [(6, 18), (18, 6), (20, 30), (30, 20), (4, 40), (40, 4)])
@pytest.mark.parametrize("rate", [0.02, 0.3, 0.7])
def test_arms_of_different_sizes_make_a_fair_bet(n, m, rate):
    expected = sum(
        binomial(n, control, rate)
        * binomial(m, candidate, rate)
        * math.exp(LabelSwapProcess().update(Counts(Tally(n, control), Tally(m, candidate))).log_e)
        for control in range(n + 1)
        for candidate in range(m + 1)
    )
    assert expected == pytest.approx(1, abs=1e-7)


def binomial(trials, bad, rate):
    return math.comb(trials, bad) * rate**bad * (1 - rate) ** (trials - bad)


@pytest.mark.parametrize(("events", "keep"), [(0, 0.5), (7, 1.0), (30, 0.9), (2000, 0.8)])
def test_thinning_is_binomial(events, keep):
    spread = dict(thinned(events, keep).items())
    assert sum(spread.values()) == pytest.approx(1, abs=1e-9)
    assert sum(kept * chance for kept, chance in spread.items()) == pytest.approx(events * keep)


def test_of_a_larger_arm_only_a_sample_counts():
    spread = dict(sampled(Tally(10, 4), 5).items())
    assert spread == pytest.approx({0: 6 / 252, 1: 60 / 252, 2: 120 / 252, 3: 60 / 252, 4: 6 / 252})
    spread = dict(differences(Counts(Tally(100, 10), Tally(400, 40)), 1.0).items())
    assert sum(difference * chance for difference, chance in spread.items()) == pytest.approx(0, abs=1e-7)


@pytest.mark.parametrize("trials", [10**6, 10**9, 10**12])
def test_a_block_of_any_number_of_trials_is_a_fair_bet_of_bounded_work(trials):
    one, other = Tally(trials, trials // 2), Tally(trials // 10, trials // 19)
    spread = differences(Counts(one, other), 1.1)

    assert len(spread.chances) < 20_000
    assert spread.chances.sum() == pytest.approx(1, abs=1e-6)
    there, back = LabelSwapProcess().update(Counts(one, other)), LabelSwapProcess().update(Counts(other, one))
    for gain, loss in zip(there.bets.logs, back.bets.logs, strict=True):
        assert (math.exp(gain) + math.exp(loss)) / 2 <= 1 + 1e-6


def test_stakes_are_antisymmetric_and_never_all():
    for bet in BETS:
        for difference in range(60):
            assert bet(difference) == -bet(-difference)
            assert abs(bet(difference)) < 1


@pytest.mark.parametrize("correlation", [0.0, 0.05, 0.3])
def test_correlation_inside_a_block_raises_no_false_alarm(correlation):
    draw, alpha, runs, crossed = random.Random(17), 0.1, 250, 0
    for _ in range(runs):
        process = LabelSwapProcess()
        for _ in range(80):
            process = process.update(Counts(arm(draw, 0.05, correlation), arm(draw, 0.05, correlation)))
        crossed += process.peak_log_e >= -math.log(alpha)
    assert crossed / runs <= alpha + 3 * math.sqrt(alpha * (1 - alpha) / runs)


def arm(draw: random.Random, rate: float, correlation: float, trials: int = 40) -> Tally:
    """A block whose own bad rate is beta distributed: correlation 1 / (a + b + 1) between its trials."""
    if correlation:
        size = 1 / correlation - 1
        rate = draw.betavariate(rate * size, (1 - rate) * size)
    return Tally(trials, sum(draw.random() < rate for _ in range(trials)))


def test_a_worse_candidate_is_caught_within_a_few_blocks():
    draw, process = random.Random(2), LabelSwapProcess()
    for _ in range(15):
        process = process.update(Counts(arm(draw, 0.02, 0.02), arm(draw, 0.2, 0.02)))
    assert process.peak_log_e > math.log(200)


def test_one_lucky_block_does_not_end_the_process():
    process = LabelSwapProcess().update(Counts(Tally(500, 400), Tally(500, 0)))
    for _ in range(20):
        process = process.update(Counts(Tally(500, 5), Tally(500, 60)))
    assert process.log_e > 4.6


def test_blocks_without_bad_events_or_without_an_arm_say_nothing():
    process = LabelSwapProcess()
    for block in (Counts(Tally(9), Tally(9)), Counts(Tally(9, 3)), Counts(candidate=Tally(9, 3)), Counts()):
        assert process.update(block) is process


def test_restoring_at_every_block_changes_nothing():
    draw, straight = random.Random(3), LabelSwapProcess(1.1)
    restored = straight
    for _ in range(40):
        block = Counts(arm(draw, 0.1, 0.02), arm(draw, 0.15, 0.02, trials=draw.randint(1, 60)))
        straight = straight.update(block)
        state = json.loads(json.dumps(restored.update(block).to_state()))
        restored = LabelSwapProcess(1.1).restored(state)
        assert restored == straight

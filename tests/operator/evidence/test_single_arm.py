"""Processes without a concurrent control: an objective, and the control's baseline after full weight."""

import json
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitwall_operator.evidence.basis.counts import Counts, EdgeTallies, OfOne, Tally
from pitwall_operator.evidence.basis.null_boundary import Claim, NullBoundary
from pitwall_operator.evidence.bernoulli import BernoulliProcess, Prior
from pitwall_operator.evidence.conjunction import BothProcess, NotOneAlone
from pitwall_operator.evidence.label_swap import LabelSwapProcess
from pitwall_operator.evidence.objective import ObjectiveBlocks, ObjectiveProcess


def arm(draw, rate, trials=50):
    return Tally(trials, sum(draw.random() < rate for _ in range(trials)))


def held_against(process, tallies):
    for tally in tallies:
        process = process.update(Counts(objective=tally))
    return process


def correlated(draw, rate, correlation, trials=20):
    """A block whose own bad rate is beta distributed."""
    size = 1 / correlation - 1
    own = draw.betavariate(rate * size, (1 - rate) * size)
    return arm(draw, own, trials)


@pytest.mark.parametrize("claim", list(Claim))
@pytest.mark.parametrize("kind", [ObjectiveProcess, ObjectiveBlocks])
def test_a_rate_at_the_limit_is_rarely_called_above_or_below(kind, claim):
    draw, alpha, runs, crossed = random.Random(5), 0.1, 300, 0
    for _ in range(runs):
        process = held_against(kind.start(0.05, claim), (arm(draw, 0.05, draw.randint(1, 20)) for _ in range(60)))
        crossed += process.peak_log_e >= -math.log(alpha)
    assert crossed / runs <= alpha + 3 * math.sqrt(alpha * (1 - alpha) / runs)


@pytest.mark.parametrize("claim", list(Claim))
def test_blocks_survive_bursts_of_rare_events(claim):
    draw, alpha, runs, crossed = random.Random(6), 0.1, 200, 0
    for _ in range(runs):
        blocks = (correlated(draw, 0.02, 0.2) for _ in range(150))
        crossed += held_against(ObjectiveBlocks.start(0.02, claim), blocks).peak_log_e >= -math.log(alpha)
    assert crossed / runs <= alpha + 3 * math.sqrt(alpha * (1 - alpha) / runs)


@given(st.floats(0.005, 0.9), st.integers(1, 40), st.sampled_from(Claim))
def test_a_trial_or_a_block_at_the_limit_is_a_fair_bet(limit, trials, claim):
    """Exact expectation over all outcomes at the limit, where the null holds with equality."""
    for start in (ObjectiveProcess.start(limit, claim), ObjectiveBlocks.start(limit, claim)):
        expected = sum(
            math.comb(trials, bad) * limit**bad * (1 - limit) ** (trials - bad)
            * math.exp(start.update(Counts(objective=Tally(trials, bad))).log_e)
            for bad in range(trials + 1)
        )  # fmt: skip
        assert expected == pytest.approx(1, rel=1e-6)


@pytest.mark.parametrize("kind", [ObjectiveProcess, ObjectiveBlocks])
@pytest.mark.parametrize(
    ("claim", "rate"), [pytest.param(Claim.HARM, 0.15, id="above"), pytest.param(Claim.NON_INFERIOR, 0.005, id="below")]
)
def test_a_clear_miss_and_a_clear_pass_are_proven(kind, claim, rate):
    draw = random.Random(8)
    assert held_against(kind.start(0.05, claim), (arm(draw, rate) for _ in range(200))).peak_log_e > math.log(200)


def test_known_value_of_a_single_alternative():
    process = held_against(ObjectiveProcess.start(0.5, Claim.HARM), [Tally(4, 3)])
    rates = [odds / (1 + odds) for odds in (1.25, 1.5, 2, 3, 5, 10)]
    factors = [1, *(16 * rate**3 * (1 - rate) for rate in rates)]
    assert process.log_e == pytest.approx(math.log(sum(factors) / 7))


def test_known_value_of_a_block():
    # a quarter of the trials bad, twice the limit: each stake wins what it staked
    process = held_against(ObjectiveBlocks.start(0.125, Claim.HARM), [Tally(8, 2)])
    assert process.log_e == pytest.approx(math.log((1 + 1.01 + 1.05 + 1.2 + 1.5 + 1.9) / 6))


def test_a_small_block_stakes_less_than_a_large_one():
    large = held_against(ObjectiveBlocks.start(0.125, Claim.HARM), [Tally(80, 10)])
    small = held_against(large, [Tally(8, 0)])
    assert math.exp(small.log_e) == pytest.approx((1 + sum(1 - s / 10 for s in (0.01, 0.05, 0.2, 0.5, 0.9))) / 6)


def test_how_a_block_of_independent_trials_is_split_hardly_matters():
    """Exactly so for each bet; spreading wealth anew at every block leaves a trace."""
    whole = held_against(ObjectiveProcess.start(0.1, Claim.HARM), [Tally(30, 9)])
    parts = held_against(ObjectiveProcess.start(0.1, Claim.HARM), [Tally(10, 2), Tally(20, 7)])
    assert parts.log_e == pytest.approx(whole.log_e, abs=0.05)


@pytest.mark.parametrize("kind", [ObjectiveProcess, ObjectiveBlocks])
@pytest.mark.parametrize("limit", [0.0, 1.0])
def test_a_limit_that_cannot_be_broken_or_met_is_refused(kind, limit):
    with pytest.raises(ValueError, match="above 0 and below 1"):
        kind.start(limit, Claim.HARM)


@pytest.mark.parametrize("claim", list(Claim))
@pytest.mark.parametrize("kind", [ObjectiveProcess, ObjectiveBlocks])
def test_an_objective_is_restored_exactly_at_every_block(kind, claim):
    draw = random.Random(4)
    straight = restored = kind.start(0.1, claim)
    for _ in range(30):
        block = Counts(objective=arm(draw, 0.12, draw.randint(0, 40)))
        straight = straight.update(block)
        restored = kind.start(0.1, claim).restored(json.loads(json.dumps(restored.update(block).to_state())))
        assert restored == straight


def all_but_one(kind, limit=0.05):
    return NotOneAlone.of(kind.start(limit, Claim.HARM))


@pytest.mark.parametrize("kind", [ObjectiveProcess, ObjectiveBlocks])
def test_what_one_user_misses_alone_is_proven_of_all_and_not_of_the_others(kind):
    process = all_but_one(kind)
    for _ in range(20):
        process = process.update(Counts(objective=Tally(10, 4), of_one=OfOne(objective=4)))

    assert process.withholds(math.log(400))
    assert process.peak_log_e <= 0
    for _ in range(20):
        process = process.update(Counts(objective=Tally(10, 8), of_one=OfOne(objective=4)))
    assert process.peak_log_e > math.log(400)
    assert not process.withholds(math.log(400))


@pytest.mark.parametrize("kind", [ObjectiveProcess, ObjectiveBlocks])
def test_a_user_with_whom_others_agree_takes_little_time(kind):
    """Of three whom it always fails two are enough."""
    process, blocks = all_but_one(kind), 0
    while process.peak_log_e < math.log(400):
        process, blocks = process.update(Counts(objective=Tally(6, 6), of_one=OfOne(objective=2))), blocks + 1

    assert blocks <= 4


def test_without_one_users_bad_trials_all_good_ones_are_left():
    counts = Counts(
        candidate=Tally(9, 5, 2.5),
        objective=Tally(9, 3),
        gross=EdgeTallies(control=Tally(4, 1), candidate=Tally(9, 2)),
        of_one=OfOne(4, 3, 7),
    )

    assert counts.of_others.candidate == Tally(5, 1, 2.5)
    assert counts.of_others.objective == Tally(6, 0)
    assert counts.of_others.gross == EdgeTallies(control=Tally(4, 1), candidate=Tally(7, 0))
    assert Counts.from_state(json.loads(json.dumps(counts.to_state()))) == counts


@pytest.mark.parametrize("kind", [ObjectiveProcess, ObjectiveBlocks])
def test_what_an_older_version_proved_of_all_users_is_kept(kind):
    older = held_against(kind.start(0.05, Claim.HARM), [Tally(10, 2)] * 3)
    restored = all_but_one(kind).restored(json.loads(json.dumps(older.to_state())))

    assert restored.first == restored.second.process == older
    assert restored.peak_log_e == older.peak_log_e
    assert all_but_one(kind).restored(json.loads(json.dumps(restored.to_state()))) == restored


def test_bets_that_are_two_go_on_where_a_version_left_them_that_knew_all_users_together():
    trials = BernoulliProcess.start(NullBoundary(), Claim.HARM, Prior(0.01, 2.0))
    before = fresh = BothProcess(LabelSwapProcess(1.0), trials)
    for _ in range(12):
        before = before.update(Counts(control=Tally(10, 0), candidate=Tally(10, 4), of_one=OfOne(candidate=3)))
    after = NotOneAlone.of(fresh).restored(json.loads(json.dumps(before.to_state())))

    assert (after.first, after.second.process, after.peak_log_e) == (before, before, before.peak_log_e)
    after = after.update(Counts(control=Tally(10, 0), candidate=Tally(10, 3), of_one=OfOne(candidate=3)))
    assert after.first.log_e > after.second.log_e
    assert NotOneAlone.of(fresh).restored(json.loads(json.dumps(after.to_state()))) == after

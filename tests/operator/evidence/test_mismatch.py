"""Sample-ratio mismatch: silent on sound splits, loud on broken ones."""

import json
import math
import random

import pytest

from pitwall_flags.flag import bucket
from pitwall_operator.evidence.mismatch import MismatchProcess, log_bayes_factor

SHARES = (0.1, 0.1, 0.8)


def users(draw, shares, count=50):
    return [draw.choices(range(len(shares)), shares)[0] for _ in range(count)]


def counted(drawn, arms):
    return tuple(drawn.count(index) for index in range(arms))


def run(shares, blocks, seed):
    draw, process = random.Random(seed), MismatchProcess(SHARES)
    for _ in range(blocks):
        process = process.update(counted(users(draw, shares), 3))
    return process


def test_a_sound_split_rarely_alarms():
    alpha, runs = 0.1, 200
    crossed = sum(run(SHARES, 40, seed).peak_log_e >= -math.log(alpha) for seed in range(runs))
    assert crossed / runs <= alpha + 3 * math.sqrt(alpha * (1 - alpha) / runs)


def test_a_broken_split_alarms():
    assert run((0.07, 0.13, 0.8), 60, 1).peak_log_e > math.log(1000)


def test_the_flags_own_buckets_are_a_sound_split():
    """Users as they are really split: hashed with a run's salt, named one after the other."""
    edges = (1000, 2000, 10_000)
    alarms = 0
    for run_id in range(40):
        salt, process = bucket.prefix(f"run-{run_id}"), MismatchProcess(SHARES)
        for block in range(40):
            places = [bucket.bucket(salt, f"user-{50 * block + number}", 10_000) for number in range(50)]
            arms = [next(arm for arm, edge in enumerate(edges) if place < edge) for place in places]
            process = process.update(counted(arms, 3))
        alarms += process.peak_log_e >= -math.log(0.05)
    assert alarms <= 6  # 2 expected at most; more than 6 in 1 of 200 such tests


def test_known_value():
    # Dirichlet(90, 10) prior, one user in the first arm: predictive probability equals its share
    assert log_bayes_factor((1, 0), (0.9, 0.1)) == pytest.approx(0)
    # two users in the small arm: 10/100 · 11/101 against 1/100
    assert log_bayes_factor((0, 2), (0.9, 0.1)) == pytest.approx(math.log(0.1 * 11 / 101 / 0.01))


def test_how_a_block_is_split_does_not_matter():
    whole = MismatchProcess(SHARES).update((7, 12, 90))
    parts = MismatchProcess(SHARES).update((7, 0, 30)).update((0, 12, 60))
    assert parts.log_e == whole.log_e


def test_the_next_user_is_a_fair_bet():
    """Over all arms that the next user may get, at their shares, evidence is expected to stay what it is."""
    before = MismatchProcess(SHARES).update((3, 9, 40))
    after = [before.update(tuple(int(arm == got) for arm in range(3))) for got in range(3)]
    expected = sum(share * math.exp(process.log_e) for share, process in zip(SHARES, after, strict=True))
    assert expected == pytest.approx(math.exp(before.log_e))


@pytest.mark.parametrize("shares", [(0.5, 0.4), (1.0, 0.0), ()])
def test_shares_must_be_shares(shares):
    with pytest.raises(ValueError, match="add up to 1"):
        MismatchProcess(shares)


def test_restoring_at_every_block_changes_nothing():
    draw = random.Random(4)
    straight = restored = MismatchProcess(SHARES)
    for _ in range(20):
        block = counted(users(draw, SHARES), 3)
        straight = straight.update(block)
        state = json.loads(json.dumps(restored.update(block).to_state()))
        restored = MismatchProcess(SHARES).restored(state)
        assert restored == straight

"""What several gateways saw of the same users' trials, put together."""

import math
import random

import pytest

from pitwall_gateway.counting.users.clusters import Clusters
from pitwall_operator.evidence.basis.spread import UNKNOWN, ArmsSpread, SpreadPart, UserSpread


def parts_of(trials, gateways):
    """Each trial goes to a gateway by chance; what they say then."""
    found = []
    for gateway in range(gateways):
        mine = [(person, bad) for where, person, bad in trials if where % gateways == gateway]
        clusters = Clusters()
        for person, bad in mine:
            clusters.showed(person, {"error": float(bad)})
        ((_, error),) = clusters.errors()
        users = dict(clusters.users())["error"]
        most = error.most.shift, error.most.of_users, error.most.of_trials
        found.append(SpreadPart(len(mine), error.of_trials, error.of_users, users, *most))
    return found


def trials(seed, users=200, each=24):
    draw = random.Random(seed)
    rates = [draw.betavariate(1.5, 3) for _ in range(users)]
    return [
        (draw.randrange(10**6), f"user-{user}", draw.random() < rate)
        for user, rate in enumerate(rates)
        for _ in range(each)
    ]


@pytest.mark.parametrize("gateways", [2, 3, 8])
def test_gateways_that_share_all_users_say_together_what_one_would(gateways):
    for seed in range(4):
        drawn = trials(seed)
        whole, some = (UserSpread.pooled(parts_of(drawn, number)) for number in (1, gateways))

        assert whole.design > 3
        assert some.design == pytest.approx(whole.design, rel=0.3)
        assert some.variance == pytest.approx(whole.variance, rel=0.02)
        assert some.users == pytest.approx(whole.users, rel=0.1)
        assert some.most == pytest.approx(whole.most, rel=0.3)
        assert some.shift == pytest.approx(whole.shift, abs=0.01)


def test_users_who_ask_once_are_as_many_as_their_trials_however_many_gateways_there_are():
    drawn = [(number, f"user-{number}", number % 5 == 0) for number in range(3000)]
    spread = UserSpread.pooled(parts_of(drawn, 3))

    assert spread.design == pytest.approx(1, abs=0.01)
    assert spread.users == pytest.approx(3000)


def test_nothing_is_known_where_no_gateway_says_anything():
    assert UserSpread.pooled([]) == UserSpread.pooled([SpreadPart(100, 0.0, 0.0, 0.0)]) == UNKNOWN


def test_with_more_trials_each_user_has_more_of_them_and_of_fewer_the_effect_is_at_most_this():
    spread = UserSpread(trials=100, variance=0.2, design=3.0, users=10.0)

    assert [spread.design_of(trials) for trials in (10, 100, 400)] == [3, 3, 9]


def test_a_gateway_that_begins_anew_does_not_take_away_what_was_known():
    known, fresh = UserSpread(5000, 0.2, 8.0, 30.0), UserSpread(40, 0.2, 1.0, 25.0)
    arms = ArmsSpread(known, fresh).or_better(ArmsSpread(fresh, known))

    assert arms == ArmsSpread(known, known)


def test_an_arm_of_which_nothing_is_known_has_users_like_the_others():
    known = UserSpread(5000, 0.2, 8.0, 30.0)

    assert ArmsSpread(candidate=known).filled() == ArmsSpread(control=known).filled() == ArmsSpread(known, known)
    assert ArmsSpread(candidate=known).is_known
    assert not ArmsSpread().is_known


def test_a_state_loses_nothing():
    arms = ArmsSpread(UserSpread(5000, 0.1 + 0.2, 8.3, 30.7, -0.1 - 0.2, 2.3), UserSpread(1, 0.2, 1.0, 1.0))

    assert ArmsSpread.from_state(arms.to_state()) == arms


@pytest.mark.parametrize("small", [1e-320, 1e-200, 0.0], ids=str)
def test_errors_too_small_to_be_those_of_trials_say_nothing(small):
    assert UserSpread.pooled([SpreadPart(400, small, 0.01, 20)]) == UserSpread()


@pytest.mark.parametrize(
    ("of_trials", "of_users", "users"), [(1e-9, 1e9, 1e-320), (1e-100, 2.0**53, 20), (2.0**53, 0.0, 2.0**53)], ids=str
)
def test_whatever_gateways_say_trials_say_no_less_than_one_users_and_no_more_than_they_are(of_trials, of_users, users):
    spread = UserSpread.pooled([SpreadPart(400, of_trials, of_users, users), SpreadPart(7, 0.1, 0.1, 7)])

    assert 1 <= spread.design <= spread.trials == 407
    assert 1 <= spread.users <= spread.trials
    assert math.isfinite(spread.variance)


def test_a_state_of_before_anybody_told_of_most_users_is_taken_over():
    assert UserSpread.from_state([5000, "0.3", "8.3", "30.7"]) == UserSpread(5000, 0.3, 8.3, 30.7)


def test_of_gateways_that_do_not_tell_of_most_users_the_others_are_heard():
    told, silent = SpreadPart(300, 0.02, 0.05, 90.0, -0.01, 0.04, 0.02), SpreadPart(100, 0.03, 0.06, 60.0)
    spread = UserSpread.pooled([told, silent])

    assert (spread.shift, spread.most) == pytest.approx((-0.01, 4.0))
    assert not UserSpread.pooled([silent]).most


def test_gateways_that_share_users_say_what_one_would_of_most_where_trials_have_heavy_tails():
    """Of users of whom each gateway sees little, trials differ more than users: without the few who are farthest there,
    what is left varies less, whoever they are."""
    draw, trials = random.Random(5), []
    for user in range(40):
        own, questions = draw.lognormvariate(0, 0.7), min(200, int(20 * draw.paretovariate(1.3)))
        trials += [(draw.randrange(16), f"user-{user}", own * draw.lognormvariate(0, 1.0)) for _ in range(questions)]
    whole, some = (UserSpread.pooled(parts_of(trials, gateways)) for gateways in (1, 16))

    assert some.most == pytest.approx(whole.most, rel=0.3)

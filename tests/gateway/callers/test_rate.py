"""A caller keeps to its rate, a vouched user to a part of it, and a user's large batch holds up nobody else."""

import pytest

from pitwall_gateway.callers.rate import CALLERS_REMEMBERED, Rate
from pitwall_gateway.values.speaker import Speaker

WEB, ANN, BOB = Speaker("web"), Speaker("web", "ann"), Speaker("web", "bob")


class SetByHand:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> SetByHand:
    return SetByHand()


@pytest.fixture
def rate(clock) -> Rate:
    return Rate(100, clock)


def seconds(wait) -> float:
    return wait.seconds if wait else 0.0


def test_a_users_large_batch_holds_up_the_user_alone(rate):
    assert rate.take(ANN, 1000) is None

    assert (seconds(rate.take(ANN)), rate.take(ANN).per_second) == (pytest.approx(951 / 25), 25)
    assert [rate.take(who) for who in (WEB, BOB, Speaker("app"))] == [None] * 3
    assert rate.take(BOB, 1000) is None


def test_while_a_user_makes_up_for_a_batch_its_caller_has_the_rest_of_the_rate(rate, clock):
    rate.take(ANN, 1000)
    passed = 0
    for _ in range(300):
        clock.now += 0.1
        while rate.take(WEB) is None:
            passed += 1

    assert passed == pytest.approx(150 + 30 * 75, abs=2)


def test_a_callers_own_batch_is_made_up_for_by_all_of_it(rate):
    rate.take(WEB, 1000)

    assert [seconds(rate.take(who)) for who in (WEB, ANN)] == [pytest.approx(8.01)] * 2


@pytest.mark.parametrize("batch", [1, 7, 1000])
def test_however_many_users_send_batches_a_caller_has_no_more_than_its_rate(rate, clock, batch):
    users, sent = [Speaker("web", f"user-{number}") for number in range(8)], 0
    for _ in range(200):
        clock.now += 1
        sent += sum(batch for user in users for _ in range(25 // batch + 1) if rate.take(user, batch) is None)

    assert 100 * 200 <= sent <= 100 * 200 + 200 + 5 * batch


def test_a_user_has_a_part_of_the_rate_and_what_is_refused_costs_nothing(rate, clock):
    assert [rate.take(ANN) for _ in range(50)] == [None] * 50
    assert {seconds(rate.take(ANN, 1000)) for _ in range(9)} == {1 / 25}
    clock.now = 1 / 25
    assert rate.take(ANN) is None


def test_who_is_told_to_wait_may_pass_then(rate, clock):
    for number in range(4):
        rate.take(Speaker("web", f"user-{number}"), 1000)
    for _ in range(9):
        clock.now += seconds(rate.take(WEB))
    assert clock.now < 100


@pytest.mark.parametrize("per_second", [0.01, 0.3, 0.5, 0.7])
@pytest.mark.parametrize("who", [WEB, ANN])
def test_less_than_one_a_second_still_lets_one_pass_each_time(clock, per_second, who):
    rate = Rate(per_second, clock)
    for _ in range(3):
        while wait := rate.take(who):
            clock.now += wait.seconds * 1.001

    assert clock.now <= 3 / (per_second if who is WEB else per_second / 4)


def test_who_rests_saves_no_more_than_one_burst_and_is_not_remembered(rate, clock):
    rate.take(ANN, 1000)
    clock.now = 1_000.0

    assert [rate.take(WEB) is None for _ in range(201)] == [True] * 200 + [False]
    assert not rate._buckets["web"].users


def test_zero_is_no_limit():
    assert {Rate(0).take(ANN) for _ in range(1000)} == {None}


def test_memory_is_bounded_whoever_asks(rate):
    for number in range(CALLERS_REMEMBERED + 100):
        rate.take(Speaker(str(number)))
    assert len(rate._buckets) == CALLERS_REMEMBERED

"""A token bucket for each client, in bounded memory."""

import pytest

from pitwall_crds.host.rate_limit import CLIENTS_REMEMBERED, RateLimit


def test_a_client_may_burst_and_then_keeps_to_the_rate():
    now = [0.0]
    rate = RateLimit(10, clock=lambda: now[0])
    assert [rate.seconds_to_wait("a") for _ in range(20)] == [0.0] * 20
    assert rate.seconds_to_wait("a") == pytest.approx(0.1)
    assert rate.seconds_to_wait("b") == 0.0
    now[0] = 0.1
    assert rate.seconds_to_wait("a") == 0.0
    assert rate.seconds_to_wait("a") > 0


def test_waiting_is_not_made_longer_by_asking():
    rate = RateLimit(1, clock=lambda: 0.0)
    waits = [rate.seconds_to_wait("a") for _ in range(100)]
    assert waits[2:] == [1.0] * 98


@pytest.mark.parametrize("per_second", [0.01, 0.3, 0.5, 0.7])
def test_less_than_one_a_second_still_lets_one_pass_each_time(per_second):
    now = [0.0]
    rate = RateLimit(per_second, clock=lambda: now[0])
    passed = 0
    for _ in range(3):
        while wait := rate.seconds_to_wait("a"):
            now[0] += wait * 1.001
        passed += 1

    assert passed == 3
    assert now[0] <= 3 / per_second


def test_a_client_that_rests_saves_no_more_than_one_burst():
    now = [0.0]
    rate = RateLimit(2, clock=lambda: now[0])
    rate.seconds_to_wait("a")
    now[0] = 1_000.0

    assert [rate.seconds_to_wait("a") == 0.0 for _ in range(5)] == [True] * 4 + [False]


def test_zero_is_no_limit():
    rate = RateLimit(0)
    assert {rate.seconds_to_wait("a") for _ in range(1000)} == {0.0}


def test_memory_is_bounded_whoever_asks():
    rate = RateLimit(1, clock=lambda: 0.0)
    for number in range(CLIENTS_REMEMBERED + 100):
        rate.seconds_to_wait(str(number))
    assert len(rate._buckets) == CLIENTS_REMEMBERED

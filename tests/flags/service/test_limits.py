"""Rates per client, told with how long to wait."""

import httpx
import pytest

from pitwall_flags.service.limits import CLIENTS_REMEMBERED, RateLimit


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


@pytest.mark.slow
def test_too_many_requests_are_told_when_to_come_back(tmp_path, service_on):
    with (
        service_on(tmp_path, options=("--requests-per-second", "1")) as service,
        httpx.Client(base_url=service.url) as http,
    ):
        answers = [http.get("/v1/flags") for _ in range(5)]
        refused = [answer for answer in answers if answer.status_code == 429]
        assert refused
        assert all(answer.headers["retry-after"] == "1" for answer in refused)
        assert http.get("/healthz").status_code == 200

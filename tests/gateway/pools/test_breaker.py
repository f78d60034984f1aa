"""The circuit of one variant: when it opens, tries again, and closes."""

import pytest

from pitwall_gateway.pools.breaker import Breaker, BreakerRule, Circuit

RULE = BreakerRule(failures=3, open_seconds=5, longest_open_seconds=15)


def opened(at: float = 0.0) -> Breaker:
    breaker = Breaker(RULE)
    for _ in range(RULE.failures):
        breaker = breaker.failed(at)
    return breaker


def test_fewer_failures_than_the_rule_let_calls_through():
    breaker = Breaker(RULE).failed(0).failed(0)

    assert breaker.admit(0)[1]


def test_a_success_between_failures_starts_the_count_anew():
    breaker = Breaker(RULE).failed(0).failed(0).succeeded().failed(0)

    assert breaker.admit(0)[1]


@pytest.mark.parametrize(
    ("now", "admitted"),
    [
        pytest.param(0.0, False, id="at-once"),
        pytest.param(4.9, False, id="just-before-the-wait-is-over"),
        pytest.param(5.0, True, id="one-trial-when-it-is-over"),
    ],
)
def test_an_open_circuit_waits(now: float, admitted: bool):
    assert opened().admit(now)[1] is admitted


def test_only_one_trial_at_a_time():
    breaker, first = opened().admit(5)
    breaker, second = breaker.admit(5.1)

    assert (first, second) == (True, False)


def test_a_trial_that_never_ended_is_repeated():
    breaker, _ = opened().admit(5)

    assert breaker.admit(10)[1]


def test_a_trial_that_succeeds_closes_the_circuit():
    breaker, _ = opened().admit(5)

    assert breaker.succeeded() == Breaker(RULE)


def test_each_trial_that_fails_doubles_the_wait_up_to_the_longest():
    breaker, waits, now = opened(), [], 0.0
    for _ in range(4):
        now += breaker.wait_seconds
        breaker, _ = breaker.admit(now)
        breaker = breaker.failed(now)
        waits.append(breaker.wait_seconds)

    assert waits == [10, 15, 15, 15]
    assert breaker.circuit is Circuit.OPEN


def test_a_straggler_that_fails_does_not_prolong_an_open_circuit():
    assert opened().failed(4.0) == opened()

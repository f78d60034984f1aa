"""The work queue: nothing is worked on twice at once, nothing that was woken is forgotten, failures come back later."""

import random
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitwall_operator.cluster.work_queue import FIRST_BACKOFF_SECONDS, LONGEST_BACKOFF_SECONDS, WorkQueue

A, B = ("shop", "a"), ("shop", "b")


class HandClock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Iterator[HandClock]:
    return HandClock()


@pytest.fixture
def due(clock) -> WorkQueue:
    return WorkQueue(clock, random.Random(1))


def test_the_longest_due_comes_first(due, clock):
    due.wake(A, 2)
    due.wake(B, 1)
    assert due.take() is None
    assert due.wait_seconds() == 1
    clock.now += 3
    assert [due.take(), due.take(), due.take()] == [B, A, None]


def test_an_earlier_wake_wins(due, clock):
    due.wake(A, 60)
    due.wake(A, 1)
    due.wake(A, 30)
    clock.now += 1
    assert due.take() == A
    assert due.wait_seconds() == float("inf")


def test_what_is_worked_on_is_not_handed_out_again_but_comes_back_if_woken(due, clock):
    due.wake(A)
    assert due.take() == A
    due.wake(A)
    assert due.take() is None
    due.done(A, 600)
    assert due.take() == A


def test_what_was_not_woken_comes_back_after_its_time(due, clock):
    due.wake(A)
    due.take()
    due.done(A, 600)
    assert 540 <= due.wait_seconds() <= 660


def test_failures_in_a_row_come_back_later_and_later_and_success_forgets_them(due, clock):
    pauses = []
    for _ in range(12):
        due.wake(A)
        due.take()
        pauses.append(due.failed(A))
    assert FIRST_BACKOFF_SECONDS / 2 <= pauses[0] <= FIRST_BACKOFF_SECONDS
    assert LONGEST_BACKOFF_SECONDS / 2 <= pauses[-1] <= LONGEST_BACKOFF_SECONDS
    due.wake(A)
    due.take()
    due.done(A, 1)
    clock.now += 2
    due.take()
    assert due.failed(A) <= FIRST_BACKOFF_SECONDS


def test_the_echo_of_ones_own_failed_work_does_not_shorten_the_pause(due):
    due.wake(A)
    due.take()
    due.wake(A)
    assert due.failed(A) > 0
    assert due.take() is None


def test_news_after_a_failure_is_acted_on_at_once(due):
    due.wake(A)
    due.take()
    due.failed(A)
    due.wake(A)
    assert due.take() == A


def test_what_is_forgotten_does_not_come_back(due, clock):
    due.wake(A, 5)
    due.forget(A)
    clock.now += 10
    assert due.take() is None
    assert len(due) == 0


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3), st.integers(0, 3)), max_size=60))
def test_no_wake_is_lost(steps):
    """Whatever happens in whatever order, a key that was woken is handed out after its last wake."""
    clock = HandClock()
    due = WorkQueue(clock, random.Random(0))
    busy: set[tuple[str, str]] = set()
    owed: set[tuple[str, str]] = set()
    for action, number, seconds in steps:
        key = ("shop", str(number))
        if action <= 2:
            due.wake(key, seconds)
            owed.add(key)
        elif action == 3 and (taken := due.take()):
            assert taken not in busy
            busy.add(taken)
            owed.discard(taken)
        elif action == 4 and key in busy:
            busy.remove(key)
            due.done(key, 1000)
        clock.now += seconds
    for key in sorted(busy):
        due.done(key, 1000)
    clock.now += 10
    handed = set()
    while (key := due.take()) is not None:
        handed.add(key)
    assert owed <= handed

"""The work queue: nothing is worked on twice at once, nothing that was woken is forgotten, failures come back later."""

import random
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitwall_operator.cluster.controller.work_queue import BACKOFF, WorkQueue

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
def queue(clock) -> WorkQueue:
    return WorkQueue(clock, random.Random(1))


def test_the_longest_due_comes_first(queue, clock):
    queue.wake(A, 2)
    queue.wake(B, 1)
    assert queue.take() is None
    assert queue.wait_seconds() == 1
    clock.now += 3
    assert [queue.take(), queue.take(), queue.take()] == [B, A, None]


def test_an_earlier_wake_wins(queue, clock):
    queue.wake(A, 60)
    queue.wake(A, 1)
    queue.wake(A, 30)
    clock.now += 1
    assert queue.take() == A
    assert queue.wait_seconds() == float("inf")


def test_what_is_worked_on_is_not_handed_out_again_but_comes_back_if_woken(queue, clock):
    queue.wake(A)
    assert queue.take() == A
    queue.wake(A)
    assert queue.take() is None
    queue.done(A, 600)
    assert queue.take() == A


def test_what_was_not_woken_comes_back_after_its_time(queue, clock):
    queue.wake(A)
    queue.take()
    queue.done(A, 600)
    assert 540 <= queue.wait_seconds() <= 660


def test_failures_in_a_row_come_back_later_and_later_and_success_forgets_them(queue, clock):
    pauses = []
    for _ in range(12):
        queue.wake(A)
        queue.take()
        pauses.append(queue.failed(A))
    assert BACKOFF.first_seconds / 2 <= pauses[0] <= BACKOFF.first_seconds
    assert BACKOFF.longest_seconds / 2 <= pauses[-1] <= BACKOFF.longest_seconds
    queue.wake(A)
    queue.take()
    queue.done(A, 1)
    clock.now += 2
    queue.take()
    assert queue.failed(A) <= BACKOFF.first_seconds


def test_the_echo_of_ones_own_failed_work_does_not_shorten_the_pause(queue):
    queue.wake(A)
    queue.take()
    queue.wake(A)
    assert queue.failed(A) > 0
    assert queue.take() is None


def test_an_edit_during_work_that_fails_is_worked_on_at_once_and_as_if_nothing_had_failed(queue):
    for _ in range(5):
        queue.wake(A)
        queue.take()
        queue.failed(A)
    queue.wake(A)
    queue.take()
    queue.wake(A, edited=True)
    assert queue.failed(A) == 0.0
    assert queue.take() == A
    assert 0 < queue.failed(A) <= BACKOFF.first_seconds


def test_news_after_a_failure_is_acted_on_at_once(queue):
    queue.wake(A)
    queue.take()
    queue.failed(A)
    queue.wake(A)
    assert queue.take() == A


def test_what_is_forgotten_does_not_come_back(queue, clock):
    queue.wake(A, 5)
    queue.forget(A)
    clock.now += 10
    assert queue.take() is None
    assert len(queue) == 0


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3), st.integers(0, 3)), max_size=60))
def test_no_wake_is_lost(steps):
    """Whatever happens in whatever order, a key that was woken is handed out after its last wake."""
    clock = HandClock()
    queue = WorkQueue(clock, random.Random(0))
    busy: set[tuple[str, str]] = set()
    owed: set[tuple[str, str]] = set()
    for action, number, seconds in steps:
        key = ("shop", str(number))
        if action <= 2:
            queue.wake(key, seconds)
            owed.add(key)
        elif action == 3 and (taken := queue.take()):
            assert taken not in busy
            busy.add(taken)
            owed.discard(taken)
        elif action == 4 and key in busy:
            busy.remove(key)
            queue.done(key, 1000)
        clock.now += seconds
    for key in sorted(busy):
        queue.done(key, 1000)
    clock.now += 10
    handed = set()
    while (key := queue.take()) is not None:
        handed.add(key)
    assert owed <= handed

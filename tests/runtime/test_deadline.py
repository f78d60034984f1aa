"""A deadline runs out once for everybody, and tells why."""

import math

import pytest

from pitwall_runtime.deadline import Deadline
from pitwall_runtime.errors import TooLateError


def test_without_a_limit_there_is_always_time():
    deadline = Deadline()
    deadline.check()
    assert deadline.remaining() == math.inf
    assert deadline.within(600.0) == 600.0


def test_a_stage_gets_its_own_limit_or_what_is_left():
    deadline = Deadline(60.0)
    assert deadline.within(5.0) == 5.0
    assert 0 < deadline.within(600.0) <= 60.0


def test_when_the_time_is_over_the_remedy_is_told():
    deadline = Deadline(0.0)
    assert deadline.remaining() == 0
    with pytest.raises(TooLateError, match=r"within its 0 s.*POST /v1/videos"):
        deadline.check()


def test_who_listens_is_called_once_when_the_asker_leaves():
    deadline, called = Deadline(60.0), []
    deadline.when_given_up(lambda: called.append("stays"))
    withdraw = deadline.when_given_up(lambda: called.append("withdrawn"))
    withdraw()
    deadline.give_up()
    deadline.give_up()
    deadline.when_given_up(lambda: called.append("late"))
    assert called == ["stays", "late"]
    assert deadline.within(5.0) == 0
    with pytest.raises(TooLateError, match="has left"):
        deadline.check()

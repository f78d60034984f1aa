"""One clock for all replicas: the API server's, whatever this machine's says."""

import logging
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest

from pitwall_operator.kube.clock import ClusterClock

NOON = 1_700_000_000.0


class Machine:
    """Clocks of the test's own; the API server's is `server`."""

    def __init__(self) -> None:
        self.steady, self.wall, self.server = 100.0, NOON, NOON + 0.4
        self.clock = ClusterClock(lambda: self.steady, lambda: self.wall)

    def pass_time(self, seconds: float) -> None:
        self.steady, self.wall, self.server = self.steady + seconds, self.wall + seconds, self.server + seconds

    def ask(self, *, there: float = 0.001, back: float = 0.001) -> None:
        asked = self.steady
        self.pass_time(there)
        date = format_datetime(datetime.fromtimestamp(int(self.server), UTC), usegmt=True)
        self.pass_time(back)
        self.clock.heard(date, asked)

    @property
    def error(self) -> float:
        return abs(self.clock() - self.server)


@pytest.fixture
def machine() -> Machine:
    return Machine()


def test_before_the_api_server_answers_it_is_the_machines(machine):
    machine.wall += 7
    assert machine.clock() == machine.wall


def test_one_answer_is_good_for_half_a_second(machine):
    machine.ask()
    assert machine.error <= 0.51


def test_many_answers_are_better_than_one(machine):
    for _ in range(40):
        machine.ask()
        machine.pass_time(3.07)
    assert machine.error < 0.1


@pytest.mark.parametrize("jump", [3600.0, -3600.0, 1e9])
def test_a_jump_of_the_machines_clock_is_said_and_changes_nothing(machine, jump, caplog):
    caplog.set_level(logging.INFO)
    machine.ask()
    before = machine.clock()

    machine.wall += jump
    assert machine.clock() == before
    for _ in range(3):
        machine.ask()

    assert machine.error <= 0.51
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert f"{jump:+.0f} s off" in caplog.text
    machine.wall -= jump
    machine.ask()
    assert "agrees with the API server's again" in caplog.text


@pytest.mark.parametrize("jump", [3600.0, -3600.0])
def test_a_jump_of_the_api_servers_clock_is_followed(machine, jump):
    machine.ask()
    machine.server += jump
    machine.ask()
    assert machine.error <= 0.51


def test_a_slow_answer_makes_it_no_worse(machine):
    machine.ask()
    before = machine.clock() - machine.server
    machine.ask(there=2.0, back=2.0)
    assert abs(machine.clock() - machine.server) <= abs(before) + 1e-6


@pytest.mark.parametrize("date", ["", "yesterday", "Thu, 99 Nov 2026 00:00:00 GMT"])
def test_an_answer_without_a_date_says_nothing(machine, date):
    machine.ask()
    before = machine.clock()
    machine.clock.heard(date, machine.steady)
    assert machine.clock() == before

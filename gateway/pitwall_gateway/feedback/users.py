"""Judges users: one quality trial per signal, user and arm.

A user's window opens with the first answer and takes the labels of that time. When it has passed, the user counts once:
bad on a signal if any label was bad, else good. Both come at the same moment, so that early complaints do not stand
alone. Then the user does not count again on this arm for a day. Pure: time comes in as seconds.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

from pitwall_crds.names import Outcome, Signal
from pitwall_gateway.counting.series import ArmSeries
from pitwall_gateway.feedback.session import Trial
from pitwall_gateway.values.speaker import Party

USER: Final = "user"
DAY_SECONDS: Final = 86_400.0

UserKey = tuple[Party, ArmSeries]


@dataclass(slots=True)
class _Window:
    since: float
    bad: set[Signal] = field(default_factory=set)


class Users:
    """Users with an open window, and those who have counted. When memory is full new users do not count: whether one
    does depends on when they came, never on what they say."""

    def __init__(self, window_seconds: float, capacity: int) -> None:
        self._window_seconds = window_seconds
        self._capacity = capacity
        self._open: OrderedDict[UserKey, _Window] = OrderedDict()
        self._counted: OrderedDict[UserKey, float] = OrderedDict()

    def answered(self, user: Party, series: ArmSeries, now: float) -> None:
        """The user got an answer; callers without a name are nobody's users."""
        key = (user, series)
        is_known = key in self._open or key in self._counted
        if user.person and not is_known and len(self._open) + len(self._counted) < self._capacity:
            self._open[key] = _Window(now)

    def complained(self, user: Party, series: ArmSeries, signal: Signal) -> None:
        """A bad label; after the user's window it changes nothing."""
        if window := self._open.get((user, series)):
            window.bad.add(signal)

    def sweep(self, now: float) -> list[Trial]:
        """The trials of users whose window has passed."""
        trials: list[Trial] = []
        while self._open and next(iter(self._open.values())).since + self._window_seconds <= now:
            (user, series), window = self._open.popitem(last=False)
            self._counted[(user, series)] = window.since
            outcomes = ((signal, Outcome.BAD if signal in window.bad else Outcome.GOOD) for signal in Signal)
            trials += [Trial(series, signal, USER, outcome, user) for signal, outcome in outcomes]
        while self._counted and next(iter(self._counted.values())) + DAY_SECONDS <= now:
            self._counted.popitem(last=False)
        return trials

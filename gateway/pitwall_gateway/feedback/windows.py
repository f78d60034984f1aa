"""Judges users, and sessions: one quality trial per signal and run, of what was said in a fixed time.

A window opens with the first answer and takes the labels of that time on the arm that gave it. When it has passed, its
owner counts once: bad on a signal if any label was bad, else good. Both come at the same moment and as long after the
first answer, so that neither early complaints nor quick farewells stand alone while an arm grows. Then the owner does
not count again in this run for a while, whatever arm it is moved to: were only those who move counted again, the arms
would be of different people. Pure: time comes in as seconds.
"""

from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Final

from pitwall_crds.names import Outcome, Signal
from pitwall_gateway.counting.series import ArmSeries
from pitwall_gateway.feedback.session import Trial
from pitwall_gateway.feedback.shelf import NO_LIMIT, Parts, PlaceRule
from pitwall_gateway.values.speaker import Party

USER: Final = "user"
DAY_SECONDS: Final = 86_400.0


@dataclass(slots=True)
class _Window:
    since: float
    series: ArmSeries
    party: Party
    bad: frozenset[Signal] = frozenset()
    good: frozenset[Signal] = frozenset()


@dataclass(frozen=True, slots=True)
class WindowRule:
    """How long a window is, how many owners are remembered, and the signals on which one of whom nothing was heard is
    good; on others there is no trial then.

    An owner may count again so many seconds after its first answer, or, if it `goes_on`, after its last one.
    """

    unit: str
    window_seconds: float
    again_seconds: float
    capacity: int
    silence_is_good: Collection[Signal] = tuple(Signal)
    goes_on: bool = False


Key = tuple[str, str]
"""An owner, and a run."""


class Windows:
    """Owners with an open window, and those who have counted. When memory is full, or their party's part of it, new
    ones do not count: whether one does depends on when it came, never on what it says. Those of no run, who count for
    nothing, have as much memory apart.
    """

    def __init__(self, rule: WindowRule, places: PlaceRule = NO_LIMIT) -> None:
        self._rule = rule
        self._counting = Parts(rule.capacity, places)
        self._aside = Parts(rule.capacity, replace(places, caller=NO_LIMIT.caller))
        self._open: OrderedDict[Key, _Window] = OrderedDict()
        self._counted: OrderedDict[Key, tuple[float, Party]] = OrderedDict()

    def answered(self, owner: str, series: ArmSeries, party: Party, now: float) -> None:
        """The owner got an answer; one without a name is nobody."""
        key = (owner, series.run)
        if key in self._counted and self._rule.goes_on:
            self._counted[key] = now, self._counted[key][1]
            self._counted.move_to_end(key)
        is_known = key in self._open or key in self._counted
        if owner and not is_known and self._places(series.run).take(party):
            self._open[key] = _Window(now, series, party)

    def _places(self, run: str) -> Parts:
        return self._counting if run else self._aside

    def complained(self, owner: str, series: ArmSeries, signal: Signal) -> None:
        """A bad label; after the window, or on another arm than the window's, it changes nothing."""
        if window := self._window(owner, series):
            window.bad |= {signal}

    def praised(self, owner: str, series: ArmSeries, signal: Signal) -> None:
        """A good label, which a bad one outweighs."""
        if window := self._window(owner, series):
            window.good |= {signal}

    def _window(self, owner: str, series: ArmSeries) -> _Window | None:
        window = self._open.get((owner, series.run))
        return window if window and window.series == series else None

    def sweep(self, now: float) -> list[Trial]:
        """The trials of owners whose window has passed."""
        trials: list[Trial] = []
        while self._open and next(iter(self._open.values())).since + self._rule.window_seconds <= now:
            key, window = self._open.popitem(last=False)
            self._counted[key] = now if self._rule.goes_on else window.since, window.party
            trials += [
                Trial(window.series, signal, self._rule.unit, outcome, window.party)
                for signal in Signal
                if (outcome := self._outcome(signal, window))
            ]
        while self._counted and next(iter(self._counted.values()))[0] + self._rule.again_seconds <= now:
            (_, run), (_, party) = self._counted.popitem(last=False)
            self._places(run).give_back(party)
        return trials

    def _outcome(self, signal: Signal, window: _Window) -> Outcome | None:
        if signal in window.bad:
            return Outcome.BAD
        return Outcome.GOOD if signal in window.good or signal in self._rule.silence_is_good else None

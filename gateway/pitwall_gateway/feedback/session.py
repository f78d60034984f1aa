"""Judges one session: at most one quality trial per signal, bad or good.

Pure: no clock, chance or I/O.
"""

from dataclasses import dataclass, field
from typing import Final

from pitwall_crds.names import Outcome, Signal
from pitwall_gateway.counting.series import ArmSeries

QUERY: Final = "query"
SESSION: Final = "session"


@dataclass(frozen=True, slots=True)
class Trial:
    """One labelled quality event, to be counted on its series."""

    series: ArmSeries
    signal: Signal
    unit: str
    outcome: Outcome


@dataclass(slots=True)
class Session:
    """One session on one arm. `open_answers` are those whose follow-up window is open; `last_at` in seconds; `user` is
    whose session it is, or empty."""

    name: str
    series: ArmSeries
    last_at: float
    user: str = ""
    open_answers: list[ArmSeries] = field(default_factory=list)
    good: set[Signal] = field(default_factory=set)
    counted: set[Signal] = field(default_factory=set)
    task_told: bool = False
    closed: bool = False

    def label(self, signal: Signal, *, bad: bool) -> list[Trial]:
        """This session's own trial, if the label settles it."""
        if signal in self.counted:
            return []
        if not bad and not self.closed:
            self.good.add(signal)
            return []
        self.counted.add(signal)
        return [Trial(self.series, signal, SESSION, Outcome.BAD if bad else Outcome.GOOD)]

    def close(self) -> list[Trial]:
        """The good follow-ups of answers nobody came back to, and the session's good trials."""
        unasked = [Trial(series, Signal.FOLLOW_UP, QUERY, Outcome.GOOD) for series in self.open_answers]
        if unasked:
            self.label(Signal.FOLLOW_UP, bad=False)
        self.open_answers.clear()
        self.closed = True
        settled = sorted(self.good - self.counted)
        self.counted |= self.good
        return unasked + [Trial(self.series, signal, SESSION, Outcome.GOOD) for signal in settled]

"""Judges one session: at most one quality trial per signal, bad or good.

Pure: no clock, chance or I/O.
"""

from dataclasses import dataclass, field
from typing import Final

from pitwall_crds.names import Outcome, Signal
from pitwall_gateway.counting.series import ArmSeries
from pitwall_gateway.values.speaker import NOBODY, Party

QUERY: Final = "query"
SESSION: Final = "session"


@dataclass(frozen=True, slots=True)
class Trial:
    """One labelled quality event, to be counted on its series; `party` is whose opinion it is."""

    series: ArmSeries
    signal: Signal
    unit: str
    outcome: Outcome
    party: Party = NOBODY


@dataclass(slots=True)
class Session:
    """One session on one arm. `open_answers` are those whose follow-up window is open; `last_at` in seconds; `party`
    is whose session it is."""

    name: str
    series: ArmSeries
    last_at: float
    party: Party = NOBODY
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
        return [self._trial(signal, SESSION, Outcome.BAD if bad else Outcome.GOOD)]

    def close(self) -> list[Trial]:
        """The good follow-ups of answers nobody came back to, and the session's good trials."""
        unasked = [Trial(series, Signal.FOLLOW_UP, QUERY, Outcome.GOOD, self.party) for series in self.open_answers]
        if unasked:
            self.label(Signal.FOLLOW_UP, bad=False)
        self.open_answers.clear()
        self.closed = True
        settled = sorted(self.good - self.counted)
        self.counted |= self.good
        return unasked + [self._trial(signal, SESSION, Outcome.GOOD) for signal in settled]

    def _trial(self, signal: Signal, unit: str, outcome: Outcome) -> Trial:
        return Trial(self.series, signal, unit, outcome, self.party)

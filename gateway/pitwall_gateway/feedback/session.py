"""Follows one session: which of its answers may still be followed up.

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
    task_told: bool = False
    closed: bool = False

    def close(self) -> list[Trial]:
        """The good follow-ups of answers nobody came back to."""
        unasked = [Trial(series, Signal.FOLLOW_UP, QUERY, Outcome.GOOD, self.party) for series in self.open_answers]
        self.open_answers.clear()
        self.closed = True
        return unasked

"""Whether stable's pods fail everybody, or only whoever says so: a party's own failures need another's beside them.

Pure: time comes in as seconds.
"""

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Final

from pitwall_gateway.values.speaker import Party

QUIET_SECONDS: Final = 5.0
"""Pods that answered anybody so lately do not fail everybody."""
PRESENT_SECONDS: Final = 600.0
"""Whoever was answered so lately would come again, and fail too."""
NEVER: Final = float("-inf")


@dataclass(slots=True)
class _Latest:
    """When something last happened to anybody, and when to anybody else."""

    who: Hashable = None
    when: float = NEVER
    else_when: float = NEVER

    def add(self, who: Hashable, now: float) -> None:
        if who != self.who:
            self.else_when = self.when
        self.who, self.when = who, now

    def beside(self, who: Hashable) -> float:
        return self.else_when if who == self.who else self.when


@dataclass(slots=True)
class Witnesses:
    """Who was answered last, and who failed since, by user and by caller; of each the last two are enough."""

    _answered: _Latest = field(default_factory=_Latest)
    _answered_callers: _Latest = field(default_factory=_Latest)
    _failed: _Latest = field(default_factory=_Latest)
    _failed_callers: _Latest = field(default_factory=_Latest)

    def answered(self, party: Party, now: float) -> None:
        """Stable's pods answered a question, so whoever failed before speaks against them no more."""
        self._answered.add(party, now)
        self._answered_callers.add(party.caller, now)
        self._failed, self._failed_callers = _Latest(), _Latest()

    def failed(self, party: Party, now: float) -> None:
        """Stable's pods failed a question."""
        self._failed.add(party, now)
        self._failed_callers.add(party.caller, now)

    def confirm(self, party: Party, now: float) -> bool:
        """Whether others bear out what keeps happening to this party: nobody was answered of late and, where others
        were present, one of them failed too: of another caller if there was any, since a caller may invent users."""
        if now - self._answered.when < QUIET_SECONDS:
            return False
        if now - self._answered_callers.beside(party.caller) < PRESENT_SECONDS:
            return self._failed_callers.beside(party.caller) > NEVER
        if now - self._answered.beside(party) < PRESENT_SECONDS:
            return self._failed.beside(party) > NEVER
        return True

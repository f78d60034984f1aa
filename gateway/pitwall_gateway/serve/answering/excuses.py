"""Bounds how often a variant may blame a video, or its server, for what stable then answers, before that is counted.

Servers do fail the first who asks and serve the second. They may be away for an hour, too, while stable's pods have
most films here, and a variant's that are new have few. So a variant that blames them has no error by it, however often:
what could not be measured is never bad. But it is the variant's own word, by which one that can read nothing, or that
lies, would pass. The same holds of a variant that says it still prepares a film that stable had already. Therefore,
beyond a part of its questions, these count as not answered in time: with clearly more of them no candidate passes. All
arms are treated alike.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from pitwall_gateway.counting.series import ArmSeries

PART: Final = 1 / 5
"""Of an arm's questions: twice what a server fails that fails one request in ten."""
FIRST: Final = 10
"""Besides."""
ARMS: Final = 64
"""Of runs; whichever was asked longest ago is forgotten."""


@dataclass(slots=True)
class _Arm:
    asked: int = 0
    taken: int = 0


class Excuses:
    """How many questions each arm of a run was asked, and how many count nowhere by its own word."""

    def __init__(self) -> None:
        self._arms: OrderedDict[ArmSeries, _Arm] = OrderedDict()

    def asked(self, series: ArmSeries) -> None:
        """One more question."""
        self._arm(series).asked += 1

    def takes(self, series: ArmSeries) -> bool:
        """Whether one more that the video, or its server, is blamed for counts nowhere."""
        arm = self._arm(series)
        if arm.taken + 1 > FIRST + PART * arm.asked:
            return False
        arm.taken += 1
        return True

    def _arm(self, series: ArmSeries) -> _Arm:
        arm = self._arms.setdefault(series, _Arm())
        self._arms.move_to_end(series)
        if len(self._arms) > ARMS:
            self._arms.popitem(last=False)
        return arm

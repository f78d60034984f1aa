"""Bounds how often a variant may say that a video or its server is at fault, where stable then answers.

Servers do fail the first who asks and serve the second, and a variant whose pods have yet to fetch what stable's have
meets that more often than its control. But it is the variant's own word, by which one that can read nothing, or that
lies, would have no errors. So up to a part of its questions what it excuses is no error, but was not answered in time
either, for who is to pass; beyond, it is an error. All arms are treated alike.
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
    excused: int = 0


class Excuses:
    """How many questions each arm of a run was asked, and of how many it said that the video was at fault."""

    def __init__(self) -> None:
        self._arms: OrderedDict[ArmSeries, _Arm] = OrderedDict()

    def asked(self, series: ArmSeries) -> None:
        """One more question."""
        self._arm(series).asked += 1

    def takes(self, series: ArmSeries) -> bool:
        """Whether one more failure is excused."""
        arm = self._arm(series)
        if arm.excused + 1 > FIRST + PART * arm.asked:
            return False
        arm.excused += 1
        return True

    def _arm(self, series: ArmSeries) -> _Arm:
        arm = self._arms.setdefault(series, _Arm())
        self._arms.move_to_end(series)
        if len(self._arms) > ARMS:
            self._arms.popitem(last=False)
        return arm

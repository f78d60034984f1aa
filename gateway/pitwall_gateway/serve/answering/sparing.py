"""Remembers since when each film is being prepared for a variant: for a while that is nobody's fault, then it is."""

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

MOST_SECONDS: Final = 600.0
"""What is prepared of a film stays prepared, so that by then it is; a runtime gives itself no longer for one."""
REMEMBERED: Final = 4096
"""Films of variants; the one that began longest ago is forgotten."""


class Sparing:
    """Which failures for want of time are a film's first minutes with a variant."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since: OrderedDict[tuple[str, str], float] = OrderedDict()

    def is_new(self, variant: str, film: str) -> bool:
        """Whether the variant began to prepare this film not long ago; now, if nobody has said so before."""
        since = self._since.setdefault((variant, film), self._clock())
        if len(self._since) > REMEMBERED:
            self._since.popitem(last=False)
        return self._clock() - since < MOST_SECONDS

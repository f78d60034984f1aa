"""Limits how often each of many clients may ask, in bounded memory."""

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

CLIENTS_REMEMBERED: Final = 10_000


class RateLimit:
    """A token bucket for each client: `per_second` on average, twice as many or 1 at once. 0 is no limit."""

    def __init__(self, per_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_second
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def seconds_to_wait(self, client: str) -> float:
        """0 when the request may pass; else how long until the next one may."""
        if not self._per_second:
            return 0.0
        now, burst = self._clock(), max(1.0, 2 * self._per_second)
        left, since = self._buckets.pop(client, (burst, now))
        left = min(burst, left + (now - since) * self._per_second)
        wait = 0.0 if left >= 1 else (1 - left) / self._per_second
        self._buckets[client] = (left - 1 if wait == 0 else left, now)
        if len(self._buckets) > CLIENTS_REMEMBERED:
            self._buckets.popitem(last=False)
        return wait

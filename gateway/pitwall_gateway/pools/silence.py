"""Knows when the pods of an arm last said nothing to whoever connects: as those of a lost node do, before anybody else
knows that it is lost.

A machine that refuses a connection is alive, so that is not silence; nor is a pod that takes the question and hangs.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, Final

from pitwall_gateway.counting.series import ArmSeries

SLOW_SECONDS: Final = 0.3
"""A connection within a cluster takes milliseconds; one that takes so long is taken for silence already."""
REMEMBERED_SECONDS: Final = 600.0
ARMS: Final = 32

STARTED: Final = "connection.connect_tcp.started"
COMPLETE: Final = "connection.connect_tcp.complete"
FAILED: Final = "connection.connect_tcp.failed"


class Silence:
    """Of each arm, when its pods were last silent."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, stalled: Callable[[], float] = lambda: 0.0) -> None:
        """`stalled`: for how many seconds in all this process has seen nothing."""
        self._clock = clock
        self._stalled = stalled
        self._last: OrderedDict[ArmSeries, float] = OrderedDict()
        self._connecting: set[Connecting] = set()

    def attempt(self, series: ArmSeries) -> "Connecting":
        """One call that may have to connect."""
        return Connecting(self, series)

    def seconds(self) -> dict[ArmSeries, float]:
        """Seconds since the last silence, of each arm that had one lately; 0 while it lasts."""
        now = self._clock()
        found = {series: now - at for series, at in self._last.items() if now - at < REMEMBERED_SECONDS}
        return found | {one.series: 0.0 for one in tuple(self._connecting) if self._took(one) >= SLOW_SECONDS}

    def began(self, one: "Connecting") -> None:
        """A connection is being opened."""
        one.since, one.stalled = self._clock(), self._stalled()
        self._connecting.add(one)

    def ended(self, one: "Connecting", *, silent: bool | None = None) -> None:
        """It was opened, or was not; `silent` None: judged by how long it took."""
        if one not in self._connecting:
            return
        self._connecting.discard(one)
        now = self._clock()
        if silent or (silent is None and self._took(one) >= SLOW_SECONDS):
            self._last[one.series] = now
            self._last.move_to_end(one.series)
            if len(self._last) > ARMS:
                self._last.popitem(last=False)

    def _took(self, one: "Connecting") -> float:
        """Seconds since it began in which this process would have seen an answer."""
        return self._clock() - one.since - (self._stalled() - one.stalled)


class Connecting:
    """One call's connection; `trace` follows it, as httpx' extension of this name."""

    __slots__ = ("_silence", "series", "since", "stalled")

    def __init__(self, silence: Silence, series: ArmSeries) -> None:
        self._silence = silence
        self.series = series
        self.since = self.stalled = 0.0

    async def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Hears of every step of the call."""
        if event == STARTED:
            self._silence.began(self)
        elif event == COMPLETE:
            self._silence.ended(self)
        elif event == FAILED:
            error = info.get("exception")
            silent = not is_refusal(error) if isinstance(error, Exception) else None  # None: the caller left
            self._silence.ended(self, silent=silent)

    def close(self) -> None:
        """The call is over, however."""
        self._silence.ended(self)


def is_refusal(error: BaseException | None) -> bool:
    """Whether a machine answered, and said no."""
    while error is not None:
        if isinstance(error, ConnectionRefusedError):
            return True
        error = error.__cause__ or error.__context__
    return False

"""The flag service's flags, each read at most every few seconds; own writes are known at once.

A moving rollout looks at its flags every second; nearly always nobody else wrote them. What somebody else does write
(a kill, which gateways obey at once whatever the operator knows) is seen a few seconds later, and a write that relies
on what is no longer so is refused by its version and repeated.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import httpx

from pitwall_flags.client import FlagClient
from pitwall_flags.record import FlagRecord

RECENT_SECONDS: Final = 3.0
REMEMBERED: Final = 4096


class RecentFlags(FlagClient):
    """A flag client that remembers."""

    def __init__(
        self,
        url: str,
        *,
        token: str = "",
        timeout_seconds: float = 5.0,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(url, token=token, timeout_seconds=timeout_seconds, transport=transport)
        self._clock = clock
        self._known: dict[str, tuple[float, FlagRecord | None]] = {}

    async def get(self, key: str) -> FlagRecord | None:
        """The flag as it was at most three seconds ago. Raises FlagsUnreachable or FlagRejected."""
        asked = self._clock()
        read_at, known = self._known.get(key, (float("-inf"), None))
        if asked - read_at < RECENT_SECONDS:
            return known
        self._known.pop(key, None)
        found = await super().get(key)
        if len(self._known) >= REMEMBERED:
            self._known.clear()
        self._known[key] = (asked, found)
        return found

    async def put(
        self, key: str, document: Mapping[str, Any], *, expected_version: int | None, actor: str, reason: str
    ) -> FlagRecord:
        """Write the flag; whatever comes of it, what was known of it no longer counts."""
        self._known.pop(key, None)
        written = await super().put(key, document, expected_version=expected_version, actor=actor, reason=reason)
        self._known[key] = (self._clock(), written)
        return written

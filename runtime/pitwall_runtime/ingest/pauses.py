"""Remembers which servers asked a party's videos to wait, so that its others do not use up their attempts there.

Of each party by itself: else whose server says so could hold up what others have on the same host.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

_MOST: Final = 4096


@dataclass(slots=True)
class HostPauses:
    """Until when hosts are left alone, by party."""

    clock: Callable[[], float] = time.monotonic
    _until: dict[tuple[str, str], float] = field(default_factory=dict)

    def note(self, party: str, url: str, seconds: float) -> None:
        """The server of this address is to be left alone for so long."""
        now = self.clock()
        if len(self._until) >= _MOST:
            self._until = {key: until for key, until in self._until.items() if until > now}
        if len(self._until) < _MOST:
            self._until[party, _host(url)] = now + seconds

    def left(self, party: str, url: str) -> float:
        """For how many seconds it still is; 0 if it may be asked."""
        return max(0.0, self._until.get((party, _host(url)), 0.0) - self.clock())


def _host(url: str) -> str:
    try:
        return urlsplit(url).netloc.lower()
    except ValueError:
        return url

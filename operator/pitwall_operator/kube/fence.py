"""The fence before every changing call: only the replica that surely holds the Lease may make it.

Calls are counted behind it, and tests kill the process there.
"""

import os
import signal
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

import httpx

from pitwall_operator.values.errors import NotLeaderError

CRASH_VARIABLE: Final = "PITWALL_CRASH_AFTER_CALLS"
"""For tests: the process kills itself (SIGKILL) after this many changing calls, those for its lease not counted."""


class CallCounter(Protocol):
    """Where calls are counted."""

    def count(self, verb: str, resource: str) -> None:
        """One more call."""


@dataclass(slots=True)
class Fence:
    """The fence that every changing call passes.

    Attributes:
        may_act: whether the lease is surely held, also by the time at which a call begun now ends.
        counter: where calls are counted.
        crash_after: 0, or after how many changing calls the process shall die.
    """

    may_act: Callable[[], bool]
    counter: CallCounter
    crash_after: int = 0
    changes: int = field(default=0, init=False)

    @staticmethod
    def crash_point(environment: Mapping[str, str]) -> int:
        """What the environment says; 0 where it says nothing."""
        return int(environment.get(CRASH_VARIABLE, "0") or 0)

    def begin(self, verb: str, resource: str) -> None:
        """Pass, or raise NotLeaderError."""
        if not self.may_act():
            raise NotLeaderError(f"{verb} {resource} was not begun: the lease is not surely held by this replica")

    def read(self, verb: str, resource: str) -> None:
        """Count a call that needs no leave: a read, or one for the lease."""
        self.counter.count(verb, resource)

    def changed(self, verb: str, resource: str) -> None:
        """Count a call that may have changed something."""
        self.counter.count(verb, resource)
        self.changes += 1
        if self.changes == self.crash_after:
            os.kill(os.getpid(), signal.SIGKILL)


class FencedTransport(httpx.AsyncBaseTransport):
    """The flag client's way to the network, through the fence."""

    def __init__(
        self, fence: Fence, inner: httpx.AsyncBaseTransport | None = None, verify: ssl.SSLContext | bool = True
    ) -> None:
        self._fence = fence
        self._inner = inner or httpx.AsyncHTTPTransport(verify=verify, limits=httpx.Limits(max_connections=8))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send, unless it would change something and this replica may not."""
        verb, resource = request.method.lower(), _resource(request.url.path)
        if verb == "get":
            self._fence.read(verb, resource)
            return await self._inner.handle_async_request(request)
        self._fence.begin(verb, resource)
        try:
            return await self._inner.handle_async_request(request)
        finally:
            self._fence.changed(verb, resource)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._inner.aclose()


def _resource(path: str) -> str:
    return "journal" if "/journal/" in path else "flags"

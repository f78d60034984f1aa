"""Ends connections whose time is over: of what a client sends, and of what it leaves unread."""

import asyncio
import contextlib
import fcntl
import struct
import termios
from typing import Final, Protocol

LOOKS: Final = 4
"""How often a reader is looked at within its time."""


class WatchedConnection(Protocol):
    """A connection. Of TLS `wire` is what lies below its transport, which has a buffer of its own."""

    loop: asyncio.AbstractEventLoop
    transport: asyncio.Transport
    wire: asyncio.Transport | None


class Timer:
    """Ends a connection when a time is over."""

    def __init__(self, owner: WatchedConnection) -> None:
        self._owner = owner
        self._handle: asyncio.TimerHandle | None = None

    def start(self, seconds: float) -> None:
        """Begin anew."""
        self.stop()
        self._handle = self._owner.loop.call_later(seconds, self._owner.transport.abort)

    def stop(self) -> None:
        """All came in time."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    @property
    def runs(self) -> bool:
        """Whether it is counting."""
        return self._handle is not None


class ReaderWatch:
    """Ends a connection whose client takes nothing of what waits for it for so many seconds.

    It looks by itself, for nobody says that the last bytes of an answer, or those below TLS, are not taken. Its owner
    must not write while something waits, or what is taken would not show: `watch` has the transports say so.
    """

    def __init__(self, owner: WatchedConnection, seconds: float) -> None:
        self._owner, self._seconds = owner, seconds
        self._handle: asyncio.TimerHandle | None = None
        self._left, self._since = 0, 0.0

    def start(self) -> None:
        """Begin with a new connection."""
        # asyncio's TLS takes `high` itself for too much, so 0 would pause it for ever
        self._owner.transport.set_write_buffer_limits(high=1 if self._owner.wire else 0, low=0)
        if self._owner.wire:
            self._owner.wire.set_write_buffer_limits(high=0)
        self.moved()
        self._look()

    def stop(self) -> None:
        """The connection is over."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def moved(self) -> None:
        """The client took something, or something new waits for it."""
        self._since = self._owner.loop.time()

    def _look(self) -> None:
        now, left = self._owner.loop.time(), self._waiting()
        if left < self._left or not (left or self._owner.transport.is_closing()):
            self._since = now
        self._left = left
        if now - self._since >= self._seconds:
            self._owner.transport.abort()
        else:
            self._handle = self._owner.loop.call_later(self._seconds / LOOKS, self._look)

    def _waiting(self) -> int:
        """Bytes that are not on their way yet and those behind which they wait; 0 when all are on their way."""
        owner = self._owner
        ours = owner.transport.get_write_buffer_size() + (owner.wire.get_write_buffer_size() if owner.wire else 0)
        return ours + _in_the_kernel(owner.transport) if ours else 0


def _in_the_kernel(transport: asyncio.Transport) -> int:
    """Bytes that the other side has not confirmed. Of a slow reader megabytes lie there before ours move again."""
    connection = transport.get_extra_info("socket")
    with contextlib.suppress(OSError, ValueError, AttributeError):  # a system that does not tell; a closed socket
        answer = fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, bytes(4))
        return int(struct.unpack("i", answer)[0])
    return 0

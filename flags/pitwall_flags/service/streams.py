"""Bounds what followers may hold of the service: how many streams, and how many bytes on their way to each token."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Final

from pitwall_flags.errors import TooManyStreamsError
from pitwall_flags.service.auth import ALL_FLAGS, Roots

MIB: Final = 1_048_576


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """What tokens may hold. Tokens for all flags, which gateways of one's own have, may have four times the bytes.

    Attributes:
        of_token: streams and fetches at once of those who have one token.
        of_all: streams and fetches at once.
        token_bytes: bytes on their way to those who have one token and have not read them; one message may be larger.
        unread_seconds: how long a message may stay unread before its stream is dropped.
    """

    of_token: int = 512
    of_all: int = 2_048
    token_bytes: int = 64 * MIB
    unread_seconds: float = 20.0


class Streams:
    """The streams that are open, and what is on its way."""

    def __init__(self, limits: StreamLimits) -> None:
        self.limits = limits
        self._open: Counter[Roots] = Counter()
        self._bytes: Counter[Roots] = Counter()
        self._freed = asyncio.Condition()

    @contextmanager
    def admitted(self, whose: Roots) -> Iterator[None]:
        """Count one call of this token while it lasts. Raises TooManyStreamsError."""
        limits = self.limits
        if self._open[whose] >= limits.of_token:
            raise TooManyStreamsError(f"{limits.of_token} streams of this token are open, which is the limit")
        if self._open.total() >= limits.of_all:
            raise TooManyStreamsError(f"{limits.of_all} streams are open, which is the limit of all tokens together")
        self._open[whose] += 1
        try:
            yield
        finally:
            self._open[whose] -= 1

    @asynccontextmanager
    async def room(self, whose: Roots, size: int) -> AsyncIterator[None]:
        """Wait until so many bytes may be on their way to this token too, and count them while they are."""
        async with self._freed:
            await self._freed.wait_for(lambda: self.fits(whose, size))
            self._bytes[whose] += size
        try:
            yield
        finally:
            async with self._freed:
                self._bytes[whose] -= size
                self._freed.notify_all()

    def room_now(self, whose: Roots, size: int) -> AbstractAsyncContextManager[None]:
        """The same without waiting. Raises TooManyStreamsError."""
        if not self.fits(whose, size):
            words = f"{self._bytes[whose]} bytes are on their way to this token unread, and {size} more are too many"
            raise TooManyStreamsError(f"{words}; read them, and fetch again")
        return self.room(whose, size)

    def fits(self, whose: Roots, size: int) -> bool:
        """Whether so many bytes may be on their way besides what is."""
        most = self.limits.token_bytes * (4 if whose == ALL_FLAGS else 1)
        return not self._bytes[whose] or self._bytes[whose] + size <= most

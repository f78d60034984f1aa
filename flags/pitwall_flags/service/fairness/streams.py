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
class Follower:
    """Whose a stream is: the digest of its token, which may be one of several for the same flags, and for which."""

    holder: str
    roots: Roots

    @property
    def is_of_set(self) -> bool:
        """Whether its token is for some flags alone."""
        return self.roots != ALL_FLAGS


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """What tokens may hold. Tokens for all flags, which gateways of one's own have, may have four times the bytes, and
    a quarter of all streams is left for them.

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
        self._open: Counter[str] = Counter()
        self._open_of_sets = 0
        self._bytes: Counter[str] = Counter()
        self._freed = asyncio.Condition()

    @contextmanager
    def admitted(self, whose: Follower) -> Iterator[None]:
        """Count one call of this token while it lasts. Raises TooManyStreamsError."""
        limits = self.limits
        if self._open[whose.holder] >= limits.of_token:
            raise TooManyStreamsError(f"{limits.of_token} streams of this token are open, which is the limit")
        if self._open.total() >= limits.of_all:
            raise TooManyStreamsError(f"{limits.of_all} streams are open, which is the limit of all tokens together")
        of_sets = limits.of_all * 3 // 4
        if whose.is_of_set and self._open_of_sets >= of_sets:
            raise TooManyStreamsError(f"{of_sets} streams are open, which is the limit of all flag sets together")
        self._open[whose.holder] += 1
        self._open_of_sets += whose.is_of_set
        try:
            yield
        finally:
            self._open[whose.holder] -= 1
            self._open_of_sets -= whose.is_of_set

    @asynccontextmanager
    async def room(self, whose: Follower, size: int) -> AsyncIterator[None]:
        """Wait until so many bytes may be on their way to this token too, and count them while they are."""
        async with self._freed:
            await self._freed.wait_for(lambda: self.fits(whose, size))
            self._bytes[whose.holder] += size
        try:
            yield
        finally:
            async with self._freed:
                self._bytes[whose.holder] -= size
                self._freed.notify_all()

    def room_now(self, whose: Follower, size: int) -> AbstractAsyncContextManager[None]:
        """The same without waiting. Raises TooManyStreamsError."""
        if not self.fits(whose, size):
            unread = self._bytes[whose.holder]
            words = f"{unread} bytes are on their way to this token unread, and {size} more are too many"
            raise TooManyStreamsError(f"{words}; read them, and fetch again")
        return self.room(whose, size)

    def fits(self, whose: Follower, size: int) -> bool:
        """Whether so many bytes may be on their way besides what is."""
        most = self.limits.token_bytes * (1 if whose.is_of_set else 4)
        return not self._bytes[whose.holder] or self._bytes[whose.holder] + size <= most

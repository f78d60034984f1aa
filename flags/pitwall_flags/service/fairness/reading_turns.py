"""Gives whoever reads many flags a turn: each token waits for its own readers, and no token for all flags for others.

Without it, one flag set's token that lists its flags on many connections would keep the operator from reading its own.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from fastapi import Request

from pitwall_flags.service.auth import ALL_FLAGS

OF_ONE_TOKEN: Final = 2
"""Pages that are read for it at once, and answers of many pages that are sent to it at once."""
OF_ALL_SETS: Final = 2
"""Pages that are read at once for the tokens of all flag sets together."""


class ReadingTurns:
    """Whose turn it is. Only tokens that are good have one, so there are few."""

    def __init__(self) -> None:
        self._reading: dict[str, asyncio.Semaphore] = {}
        self._sending: dict[str, asyncio.Semaphore] = {}
        self._sets = asyncio.Semaphore(OF_ALL_SETS)

    @asynccontextmanager
    async def page(self, request: Request) -> AsyncIterator[None]:
        """Wait until a page may be read for this request's token."""
        async with _of(self._reading, request):
            if request.state.roots == ALL_FLAGS:
                yield
                return
            async with self._sets:
                yield

    @asynccontextmanager
    async def one(self, request: Request) -> AsyncIterator[None]:
        """Wait until one flag may be read: a token for all flags waits for nothing, others as for a page."""
        if request.state.roots == ALL_FLAGS:
            yield
            return
        async with self.page(request):
            yield

    def sending(self, request: Request) -> asyncio.Semaphore:
        """Bounds the answers of many pages that are under way to this request's token: who reads slowly holds one."""
        return _of(self._sending, request)


def _of(turns: dict[str, asyncio.Semaphore], request: Request) -> asyncio.Semaphore:
    holder: str = request.state.holder
    return turns.setdefault(holder, asyncio.Semaphore(OF_ONE_TOKEN))


def turns_of(request: Request) -> ReadingTurns:
    """Those of the application that serves this request."""
    turns: ReadingTurns = request.app.state.turns
    return turns

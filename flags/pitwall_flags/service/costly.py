"""Gives what takes the processor or the database's only writer turns, so that no token multiplies it.

Each token has one turn at a time, and the tokens of all flag sets together have one; after a long one these rest as
long as it took. So at most half of the time goes to them, and who has a token for all flags waits for none of them.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Final, TypeVar

from fastapi import Request

from pitwall_flags.errors import ProblemError
from pitwall_flags.service.auth import ALL_FLAGS, Roots

WAITING_WRITES: Final = 32
"""Of one token; the operator's own come from one process, which writes flag after flag."""
WAITING_EVALUATIONS: Final = 256
SHORT_SECONDS: Final = 0.005
"""After what takes no longer nobody rests."""
LONGEST_REST: Final = 1.0

Found = TypeVar("Found")


class CostlyTurns:
    """The turns of one kind of work. Only tokens that are good have one, so there are few."""

    def __init__(self, what: str, waiting: int) -> None:
        self._what, self._most = what, waiting
        self._waiting: dict[str, int] = {}
        self._tokens: dict[str, asyncio.Lock] = {}
        self._sets = asyncio.Semaphore(1)

    @asynccontextmanager
    async def turn(self, holder: str, roots: Roots) -> AsyncIterator[None]:
        """Wait until it is the turn of this token. Raises ProblemError: 429 where so many of its wait already."""
        waiting = self._waiting.get(holder, 0)
        if waiting > self._most:
            words = (
                f"{self._most} {self._what} of this token wait for their turn, which is the limit; send fewer at once"
            )
            raise ProblemError(429, words, {"Retry-After": "1"})
        self._waiting[holder] = waiting + 1
        try:
            async with self._tokens.setdefault(holder, asyncio.Lock()):
                if roots == ALL_FLAGS:
                    yield
                    return
                async with self._turn_of_sets():
                    yield
        finally:
            self._waiting[holder] -= 1

    @asynccontextmanager
    async def _turn_of_sets(self) -> AsyncIterator[None]:
        await self._sets.acquire()
        began = time.monotonic()
        try:
            yield
        finally:
            took = time.monotonic() - began
            if took > SHORT_SECONDS:
                asyncio.get_running_loop().call_later(min(took, LONGEST_REST), self._sets.release)
            else:
                self._sets.release()


class Costly:
    """All kinds of work that have turns, and threads of their own for what is checked of documents."""

    def __init__(self) -> None:
        self.writes = CostlyTurns("writes", WAITING_WRITES)
        self.kills = CostlyTurns("kills and releases", WAITING_WRITES)
        self.evaluations = CostlyTurns("evaluations", WAITING_EVALUATIONS)
        self.of_all_flags = CostlyTurns("evaluations of all flags", WAITING_EVALUATIONS)
        self._own, self._sets = (ThreadPoolExecutor(1, f"checks of {whose}") for whose in ("ours", "sets"))

    async def in_thread(self, roots: Roots, work: Callable[[], Found]) -> Found:
        """Have it done beside the loop, where nothing of another kind waits for it."""
        threads = self._own if roots == ALL_FLAGS else self._sets
        return await asyncio.get_running_loop().run_in_executor(threads, work)


def costly_of(request: Request) -> Costly:
    """That of the application that serves this request."""
    costly: Costly = request.app.state.costly
    return costly

"""Gives what takes the processor or the database's only writer turns, so that no token multiplies it.

Each token has one turn at a time, in the order of its requests, and the tokens of all flag sets together have one, each
in its turn. After a long one that token rests, so that at most half of the time goes to the sets; another set waits for
one piece of its work and never for its rest, and who has a token for all flags waits for none of them.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Final, TypeVar

from fastapi import Request

from pitwall_flags.errors import ProblemError
from pitwall_flags.service.auth import ALL_FLAGS, Roots

WAITING_WRITES: Final = 32
"""Of one token; the operator's own come from one process, which writes flag after flag."""
WAITING_EVALUATIONS: Final = 1024
"""Of one token, of either kind: half of the connections that the service has, so that others have places too."""
LONGEST_WAIT: Final = 30.0
"""Seconds that an evaluation waits for its turn: all clients of a team fetch its flags at once after a change."""
SHORT_SECONDS: Final = 0.005
"""After what takes no longer nobody rests."""
LONGEST_REST: Final = 1.0
"""Seconds, times the tokens that share the half."""

Found = TypeVar("Found")


class Turn:
    """A turn under way. Who uses the processor alone says for how long: a busy machine makes nobody rest longer."""

    def __init__(self, sets: asyncio.Semaphore | None) -> None:
        self.seconds: float | None = None
        """Of the processor. None: the turn takes what it holds all the time."""
        self._sets, self._holds = sets, False

    async def take(self) -> None:
        """Wait for the turn of the sets, if this is one of theirs."""
        if self._sets:
            await self._sets.acquire()
            self._holds = True

    def leave(self) -> None:
        """Let the next set have its turn."""
        if self._sets and self._holds:
            self._holds = False
            self._sets.release()

    async def let_others(self) -> None:
        """Between two pieces of long work: others are served, and other sets have their turn."""
        self.leave()
        await asyncio.sleep(0)
        await self.take()


class _Line:
    """What is known of one token."""

    def __init__(self) -> None:
        self.one = asyncio.Lock()
        self.rests_until = 0.0


class CostlyTurns:
    """The turns of one kind of work. Only tokens that are good have one, so there are few.

    Args:
        what: the work, in the plural.
        most: so many of a token wait at once.
        longest: seconds that one waits.
        waiting: counts them for several kinds together.
    """

    def __init__(
        self, what: str, most: int, *, longest: float | None = None, waiting: Counter[str] | None = None
    ) -> None:
        self._what, self._most, self._longest = what, most, longest
        self._waiting = Counter[str]() if waiting is None else waiting
        self._lines: dict[str, _Line] = {}
        self._sets = asyncio.Semaphore(1)
        self._at_a_stretch = 0.0

    @asynccontextmanager
    async def turn(self, holder: str, roots: Roots) -> AsyncIterator[Turn]:
        """Wait until it is the turn of this token. Raises ProblemError: 429 where so many of its wait, or so long."""
        if self._waiting[holder] > self._most:
            raise self._refused(f"{self._most} {self._what} of this token wait for their turn")
        line, turn = self._lines.setdefault(holder, _Line()), Turn(None if roots == ALL_FLAGS else self._sets)
        self._waiting[holder] += 1
        try:
            async with asyncio.timeout(self._longest) as waits, line.one:
                if (rest := line.rests_until - time.monotonic()) > 0:
                    await asyncio.sleep(rest)
                await self._serve_others()
                await turn.take()
                waits.reschedule(None)
                began = time.monotonic()
                try:
                    yield turn
                finally:
                    turn.leave()
                    took = time.monotonic() - began if turn.seconds is None else turn.seconds
                    self._at_a_stretch += took
                    if roots != ALL_FLAGS:
                        self._rest(line, took)
        except TimeoutError:
            if not waits.expired():
                raise
            raise self._refused(f"{self._what} of this token have waited {self._longest:g} s for their turn") from None
        finally:
            self._waiting[holder] -= 1

    async def _serve_others(self) -> None:
        """Many turns that are short each are not had at a stretch."""
        if self._at_a_stretch > SHORT_SECONDS:
            self._at_a_stretch = 0.0
            await asyncio.sleep(0)

    def _refused(self, why: str) -> ProblemError:
        return ProblemError(429, f"{why}, which is the limit; send fewer at once", {"Retry-After": "1"})

    def _rest(self, line: _Line, took: float) -> None:
        """Each of `n` tokens has a 2n-th of the time, whatever the others' work takes."""
        if took > SHORT_SECONDS:
            now = time.monotonic()
            sharing = 1 + sum(other.rests_until > now for other in self._lines.values() if other is not line)
            line.rests_until = now + min(took, LONGEST_REST) * (2 * sharing - 1)


class Costly:
    """All kinds of work that have turns, and threads of their own for what is checked of documents."""

    def __init__(self) -> None:
        self.writes = CostlyTurns("writes", WAITING_WRITES)
        self.kills = CostlyTurns("kills and releases", WAITING_WRITES)
        waiting = Counter[str]()
        self.evaluations = CostlyTurns("evaluations", WAITING_EVALUATIONS, longest=LONGEST_WAIT, waiting=waiting)
        self.of_all_flags = CostlyTurns(
            "evaluations of all flags", WAITING_EVALUATIONS, longest=LONGEST_WAIT, waiting=waiting
        )
        self._own, self._sets = (ThreadPoolExecutor(1, f"checks of {whose}") for whose in ("ours", "sets"))

    async def in_thread(self, roots: Roots, work: Callable[[], Found]) -> Found:
        """Have it done beside the loop, where nothing of another kind waits for it."""
        threads = self._own if roots == ALL_FLAGS else self._sets
        return await asyncio.get_running_loop().run_in_executor(threads, work)


def costly_of(request: Request) -> Costly:
    """That of the application that serves this request."""
    costly: Costly = request.app.state.costly
    return costly

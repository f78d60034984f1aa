"""Keeps background tasks running: what breaks is begun again, and is trouble while it keeps failing or hangs."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Final

from pitwall_crds.host.backoff import Backoff

log = logging.getLogger(__name__)

AGAIN: Final = Backoff(first_seconds=0.5, longest_seconds=30.0)
UNHEALTHY_FAILURES: Final = 4
"""So many failures in a row are no accident: the process says that it is not healthy, so that somebody looks at it."""


@dataclass(slots=True)
class TaskState:
    """How a task gets on: failures in a row, the last one's words, and by when it must have said that it lives."""

    failures: int = 0
    words: str = ""
    due: float = float("inf")


@dataclass(slots=True)
class BackgroundTasks:
    """The tasks of a process, by name."""

    clock: Callable[[], float] = time.monotonic
    again: Backoff = AGAIN
    _states: dict[str, TaskState] = field(default_factory=dict)

    async def keep(self, name: str, begin: Callable[[], Awaitable[None]], over: asyncio.Event) -> None:
        """Run a task until it is over. One that raises, or ends before, is begun again after a pause that grows."""
        state = self._states[name] = TaskState()
        try:
            while not over.is_set():
                try:
                    await begin()
                    state.words = "it ended by itself"
                except Exception as error:
                    state.words = f"{type(error).__name__}: {error}"
                    log.exception("the task %s broke; it is begun again", name)
                if over.is_set():
                    return
                state.failures += 1
                state.due = float("inf")
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(over.wait(), self.again.seconds(state.failures))
        finally:
            self._states.pop(name, None)

    def alive(self, name: str, within_seconds: float) -> None:
        """A task has come round without trouble; it will say so again within this time."""
        state = self._states.get(name)
        if state is not None:
            state.failures, state.words, state.due = 0, "", self.clock() + within_seconds

    def trouble(self) -> str:
        """What keeps failing or hangs, in words; empty if nothing does."""
        now = self.clock()
        return "; ".join(filter(None, (_words(name, state, now) for name, state in sorted(self._states.items()))))


def _words(name: str, state: TaskState, now: float) -> str:
    if state.failures >= UNHEALTHY_FAILURES:
        return f"{name} failed {state.failures} times in a row: {state.words}"
    return f"{name} has hung for {now - state.due:.0f} s" if now > state.due else ""


async def first_of(*waits: Coroutine[Any, Any, object], seconds: float | None = None) -> bool:
    """Wait until the first of them happens, or the time is over; whether the first one given happened."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        return tasks[0].done()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

"""A bounded queue with a few threads between HTTP and the pipeline, which refuses questions when it is full."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from pitwall_runtime.errors import UnavailableError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class QueueLimits:
    """How many questions are worked on at once, and how many may wait."""

    threads: int = 2
    waiting: int = 32


class Worker:
    """Runs blocking work off the event loop. Full means full: nobody waits without bound."""

    def __init__(self, limits: QueueLimits) -> None:
        self._limits = limits
        self._threads = ThreadPoolExecutor(limits.threads, thread_name_prefix="pipeline")
        self._free = threading.BoundedSemaphore(limits.threads + limits.waiting)

    async def run(self, work: Callable[[], T]) -> T:
        """The result of `work`. Raises UnavailableError at once if the queue is full.

        Work that nobody waits for any more is not begun; work that has begun ends at its own checks of its deadline.
        """
        if not self._free.acquire(blocking=False):
            capacity = self._limits.threads + self._limits.waiting
            raise UnavailableError(f"{capacity} questions are already in progress or waiting; ask again in a second")
        future = self._threads.submit(work)
        # The place is given back when the work is done, not when an impatient client goes away.
        future.add_done_callback(lambda _: self._free.release())
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """Start nothing new; let what runs finish."""
        self._threads.shutdown(wait=False, cancel_futures=True)

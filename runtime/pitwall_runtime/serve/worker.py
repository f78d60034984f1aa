"""Bounded queues with a few threads between HTTP and the pipeline, which refuse questions when they are full."""

import asyncio
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, TypeVar

from pitwall_runtime.errors import UnavailableError
from pitwall_runtime.media import WHOLE, Stretch, Video

KNOWN: Final = 4096
"""Videos that are remembered; the one that was asked about longest ago is forgotten."""

CALLER_PART: Final = 3 / 4
"""Of a queue's places, what one caller may have; the rest is for others."""

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
        self._places = limits.threads + limits.waiting
        self._taken: Counter[str] = Counter()
        self._guard = threading.Lock()

    async def run(self, work: Callable[[], T], caller: str = "") -> T:
        """The result of `work`. Raises UnavailableError at once if the queue is full, or the caller's part of it: some
        places are left for others, whoever comes first.

        Work that nobody waits for any more is not begun; work that has begun ends at its own checks of its deadline.
        """
        self._take(caller)
        future = self._threads.submit(work)
        # The place is given back when the work is done, not when an impatient client goes away.
        future.add_done_callback(lambda _: self._give_back(caller))
        return await asyncio.wrap_future(future)

    def _take(self, caller: str) -> None:
        with self._guard:
            total = self._taken.total()
            if total >= self._places:
                raise UnavailableError(f"{total} questions are already in progress or waiting; ask again in a second")
            if caller and self._taken[caller] >= self._places * CALLER_PART:
                words = f"{self._taken[caller]} questions of this application are already in progress or waiting"
                raise UnavailableError(f"{words}; ask again in a second")
            self._taken[caller] += 1

    def _give_back(self, caller: str) -> None:
        with self._guard:
            self._taken[caller] -= 1
            if not self._taken[caller]:
                del self._taken[caller]

    def close(self) -> None:
        """Start nothing new; let what runs finish."""
        self._threads.shutdown(wait=False, cancel_futures=True)


class Lanes:
    """Two queues: who asks about a video that was answered about before does not wait behind those whose video has to
    be decoded and embedded first, however many they are."""

    def __init__(self, limits: QueueLimits) -> None:
        """Each lane has these limits: preparing is long work, answering from what is prepared is short."""
        self._prepared, self._preparing = Worker(limits), Worker(limits)
        self._known: OrderedDict[tuple[str, Stretch], None] = OrderedDict()

    def lane(self, video: Video, stretch: Stretch) -> Worker:
        """Where a question about this stretch of the video is worked on."""
        known = any((video.content_hash, each) in self._known for each in (stretch, WHOLE))
        return self._prepared if known else self._preparing

    def answered(self, video: Video, stretch: Stretch) -> None:
        """A question about it was answered: what it needed is there."""
        key = (video.content_hash, stretch)
        self._known[key] = None
        self._known.move_to_end(key)
        if len(self._known) > KNOWN:
            self._known.popitem(last=False)

    def close(self) -> None:
        """Start nothing new; let what runs finish."""
        self._prepared.close()
        self._preparing.close()

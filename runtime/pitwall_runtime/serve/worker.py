"""Bounded queues with a few threads between HTTP and the pipeline, which refuse questions when they are full."""

import asyncio
import threading
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from pitwall_runtime.deadline import CALLER_PART, caller_of, user_of
from pitwall_runtime.errors import UnavailableError
from pitwall_runtime.media import WHOLE, Stretch, Video

KNOWN: Final = 4096
"""Videos that are remembered; the one that was asked about longest ago is forgotten."""

STRETCHES: Final = 8
"""Of one video, likewise."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class QueueLimits:
    """How many questions are worked on at once, and how many may wait."""

    threads: int = 2
    waiting: int = 32


@dataclass(slots=True, eq=False)
class Job:
    """Work that waits, and whose it is."""

    work: Callable[[], Any]
    party: str
    result: "Future[Any]" = field(default_factory=Future)


class Worker:
    """Runs blocking work off the event loop. Full means full: nobody waits without bound. Those who wait take turns by
    party (a caller and, behind a dot, a user), and no user has all threads."""

    def __init__(self, limits: QueueLimits) -> None:
        self._limits = limits
        self._threads = ThreadPoolExecutor(limits.threads, thread_name_prefix="pipeline")
        self._places = limits.threads + limits.waiting
        self._taken, self._running = Counter[str](), Counter[str]()
        self._waiting: OrderedDict[str, deque[Job]] = OrderedDict()
        self._guard = threading.Lock()

    async def run(self, work: Callable[[], T], party: str = "") -> T:
        """The result of `work`. Raises UnavailableError at once if the queue is full, or the caller's part of it: some
        places are left for others, whoever comes first.

        Work that nobody waits for any more is not begun; work that has begun ends at its own checks of its deadline.
        """
        job, caller = Job(work, party), caller_of(party)
        with self._guard:
            self._take(caller)
            self._waiting.setdefault(party, deque()).append(job)
        # The place is given back when the work is done, not when an impatient client goes away.
        job.result.add_done_callback(lambda _: self._give_back(caller))
        self._threads.submit(self._work)
        result: T = await asyncio.wrap_future(job.result)
        return result

    def close(self) -> None:
        """Start nothing new; let what runs finish."""
        with self._guard:
            left = [job for jobs in self._waiting.values() for job in jobs]
            self._waiting.clear()
        for job in left:
            job.result.cancel()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _work(self) -> None:
        """As long as there is something that may begin. What may not yet is begun by the thread that it waits for."""
        while job := self._next():
            try:
                if job.result.set_running_or_notify_cancel():
                    try:
                        job.result.set_result(job.work())
                    except BaseException as error:
                        job.result.set_exception(error)
            finally:
                self._ended(job.party)

    def _ended(self, party: str) -> None:
        with self._guard:
            self._running[party] -= 1
            if not self._running[party]:
                del self._running[party]

    def _next(self) -> Job | None:
        """Of whom the fewest run, and of those who waited longest for a turn."""
        with self._guard:
            ready = [party for party in self._waiting if self._running[party] < self._most_of(party)]
            if not ready:
                return None
            party = min(ready, key=self._running.__getitem__)
            job = self._waiting[party].popleft()
            self._waiting.move_to_end(party)
            if not self._waiting[party]:
                del self._waiting[party]
            self._running[party] += 1
            return job

    def _most_of(self, party: str) -> int:
        """Threads that one party may have; who is no user in particular may have all."""
        threads = self._limits.threads
        return max(1, threads - 1) if user_of(party) else threads

    def _take(self, caller: str) -> None:
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


class Lanes:
    """Two queues: who asks about a video that was answered about before does not wait behind those whose video has to
    be decoded and embedded first, however many they are."""

    def __init__(self, limits: QueueLimits) -> None:
        """Each lane has these limits: preparing is long work, answering from what is prepared is short."""
        self._prepared, self._preparing = Worker(limits), Worker(limits)
        self._known: OrderedDict[str, OrderedDict[Stretch, None]] = OrderedDict()

    def lane(self, video: Video, stretch: Stretch) -> Worker:
        """Where a question about this stretch of the video is worked on."""
        return self._prepared if self.knows(video, stretch) else self._preparing

    def knows(self, video: Video, stretch: Stretch) -> bool:
        """Whether a question about it was answered by this process."""
        stretches = self._known.get(video.content_hash, ())
        return stretch in stretches or WHOLE in stretches

    def answered(self, video: Video, stretch: Stretch) -> None:
        """A question about it was answered: what it needed is there."""
        stretches = self._known.setdefault(video.content_hash, OrderedDict())
        stretches[stretch] = None
        stretches.move_to_end(stretch)
        self._known.move_to_end(video.content_hash)
        if len(stretches) > STRETCHES:
            stretches.popitem(last=False)
        if len(self._known) > KNOWN:
            self._known.popitem(last=False)

    def close(self) -> None:
        """Start nothing new; let what runs finish."""
        self._prepared.close()
        self._preparing.close()

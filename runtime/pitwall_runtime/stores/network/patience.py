"""Waits for servers that only save work, and no longer than that is worth; what they are given is sent meanwhile."""

import atexit
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import Final, TypeVar
from weakref import WeakKeyDictionary, WeakSet

from pitwall_runtime.deadline import Deadline

log = logging.getLogger(__name__)

T = TypeVar("T")

STALL_SECONDS: Final = 2.0
"""For so long a request may bring nothing."""

PART: Final = 1 / 4
"""Of a question's time, how much one server may take."""

_LONGEST_SECONDS: Final = 3600.0
_HURRY_SECONDS: Final = 30.0
_SENDERS: Final = 4
_MOST_BYTES: Final = 256 << 20
_MOST_JOBS: Final = 256
_NOTHING_SENT_SECONDS: Final = 10.0
"""After so long without anything sent, who prepares waits no more for room."""

_END_SECONDS: Final = 10.0
"""For so long the end of the process waits for what is still to be sent; Kubernetes gives it 30 s for all."""

_LEAST_SECONDS: Final = 0.05
"""With less time than that no server is asked."""


def worth(deadline: Deadline | None, limit_seconds: float = _LONGEST_SECONDS) -> float:
    """How long a server may be waited for: a part of what the question has left, and never longer than the limit."""
    return min(limit_seconds, deadline.remaining() * PART) if deadline else limit_seconds


def within(seconds: float, ask: Callable[[], T]) -> T:
    """What `ask` returns. Raises TimeoutError after so long, and what `ask` raises; left alone, it ends by itself."""
    if seconds < _LEAST_SECONDS:
        raise TimeoutError
    return begun(ask).result(min(seconds, _LONGEST_SECONDS))


def begun(ask: Callable[[], T]) -> Future[T]:
    """What `ask` will return, in a thread of its own; left alone, it ends by itself."""
    answer: Future[T] = Future()

    def work() -> None:
        try:
            answer.set_result(ask())
        except BaseException as error:  # also the panics of a library in Rust: who waits shall see them
            answer.set_exception(error)

    threading.Thread(target=work, name="shared", daemon=True).start()
    return answer


class Keeper:
    """Sends to servers in threads of its own. The process' end waits some seconds for what is still to be sent.

    So much may wait to be sent; what comes on top is not shared, and made again where it is needed.
    """

    def __init__(self, most_bytes: int = _MOST_BYTES, most_jobs: int = _MOST_JOBS) -> None:
        self._most_bytes, self._most_jobs = most_bytes, most_jobs
        self._bytes = self._jobs = self._senders = 0
        self._queued: deque[tuple[int, Callable[[], object], Future[None]]] = deque()
        self._hurry_until = 0.0
        self._guard = threading.Condition()
        self._waited: WeakKeyDictionary[Deadline, float] = WeakKeyDictionary()
        _keepers.add(self)

    def send(self, size: int, job: Callable[[], object], deadline: Deadline | None = None) -> None:
        """Do `job`, which holds `size` bytes of memory, some time. A question waits for all of its jobs together two
        seconds or a part of its time, so that another machine finds at once what was made here; not while such a wait
        was in vain half a minute ago. Without a `deadline` nobody waits."""
        sent: Future[None] = Future()
        with self._guard:
            if self._bytes + size > self._most_bytes or self._jobs >= self._most_jobs:
                log.warning("the shared stores are too slow: something that was made here is not given to them")
                return
            self._bytes += size
            self._jobs += 1
            self._queued.append((size, job, sent))
            if self._senders < _SENDERS:
                self._senders += 1
                threading.Thread(target=self._work, name="keep", daemon=True).start()
        if deadline and time.monotonic() >= self._hurry_until:
            self._wait(sent, deadline)

    def _wait(self, sent: Future[None], deadline: Deadline) -> None:
        started, waited = time.monotonic(), self._waited.get(deadline, 0.0)
        patience = min(STALL_SECONDS, deadline.remaining() * PART) - waited
        if patience > 0 and wait([sent], patience).not_done:
            self._hurry_until = time.monotonic() + _HURRY_SECONDS
        self._waited[deadline] = waited + time.monotonic() - started

    def make_room(self, deadline: Deadline) -> None:
        """Wait until half of what may wait is sent, as long as anything is; a part of the time in all."""
        started, waited = time.monotonic(), self._waited.get(deadline, 0.0)
        latest = started + worth(deadline) - waited
        with self._guard:
            while self._is_half_full() and (left := latest - time.monotonic()) > 0:
                if not self._guard.wait(min(left, _NOTHING_SENT_SECONDS)):
                    break
        self._waited[deadline] = waited + time.monotonic() - started

    def _is_half_full(self) -> bool:
        return 2 * self._bytes > self._most_bytes or 2 * self._jobs > self._most_jobs

    def settle(self, seconds: float) -> None:
        """Wait until all is sent, so long at most."""
        with self._guard:
            self._guard.wait_for(lambda: not self._jobs, seconds)

    def _work(self) -> None:
        """Do what is queued, and end."""
        while True:
            with self._guard:
                if not self._queued:
                    self._senders -= 1
                    return
                size, job, sent = self._queued.popleft()
            try:
                job()
            except BaseException:
                log.debug("something that was made here is not given to the shared stores", exc_info=True)
            with self._guard:
                self._bytes -= size
                self._jobs -= 1
                self._guard.notify_all()
            sent.set_result(None)


_keepers: WeakSet[Keeper] = WeakSet()


@atexit.register
def _end() -> None:
    """A server that hangs would hold the process until it is killed, with all that it has still to give back."""
    latest = time.monotonic() + _END_SECONDS
    for keeper in list(_keepers):
        keeper.settle(max(0.0, latest - time.monotonic()))

"""The work queue: which rollout is reconciled when, with back-off after failures."""

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from pitwall_crds.host.backoff import Backoff
from pitwall_operator.values.object_key import Key

BACKOFF: Final = Backoff(first_seconds=0.5, longest_seconds=60.0, spread=(0.5, 1.0))
JITTER: Final = 0.1


@dataclass(slots=True)
class WorkQueue:
    """Keys with the times at which they are due. One that is being worked on is not handed out again; if it is woken
    meanwhile, it is due again at once. Failures in a row are tried again later and later, unless somebody edited what
    failed."""

    clock: Callable[[], float]
    dice: random.Random = field(default_factory=random.Random)
    _times: dict[Key, float] = field(default_factory=dict)
    _heap: list[tuple[float, Key]] = field(default_factory=list)
    _busy: dict[Key, float | None] = field(default_factory=dict)
    _failures: dict[Key, int] = field(default_factory=dict)
    _edited: set[Key] = field(default_factory=set)

    def wake(self, key: Key, after: float = 0.0, *, edited: bool = False) -> None:
        """Make a key due after this time, if it is not due earlier. What was edited is due whatever fails meanwhile."""
        at = self.clock() + after
        if key in self._busy:
            if edited:
                self._edited.add(key)
            known = self._busy[key]
            self._busy[key] = at if known is None else min(known, at)
        elif at < self._times.get(key, float("inf")):
            self._times[key] = at
            heapq.heappush(self._heap, (at, key))

    def take(self) -> Key | None:
        """The key that has been due longest, from now on worked on; None if none is due yet."""
        while self._heap:
            at, key = self._heap[0]
            if self._times.get(key) != at:
                heapq.heappop(self._heap)  # it was made due at another time
                continue
            if at > self.clock():
                return None
            heapq.heappop(self._heap)
            del self._times[key]
            self._busy[key] = None
            return key
        return None

    def wait_seconds(self) -> float:
        """How long until a key is due; infinite if none is."""
        while self._heap and self._times.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return max(0.0, self._heap[0][0] - self.clock()) if self._heap else float("inf")

    def done(self, key: Key, again_after: float) -> None:
        """The work went well; the key is due again after this time, a little earlier or later."""
        self._failures.pop(key, None)
        self._end(key, again_after * self.dice.uniform(1 - JITTER, 1 + JITTER))

    def failed(self, key: Key) -> float:
        """The work failed; in how many seconds it is tried again, whoever woke the key meanwhile but by an edit."""
        count = self._failures[key] = 0 if key in self._edited else self._failures.get(key, 0) + 1
        pause = BACKOFF.seconds(count, self.dice) if count else 0.0
        self._busy[key] = None
        self._end(key, pause)
        return pause

    def forget(self, key: Key) -> None:
        """The key is gone."""
        self._times.pop(key, None)
        self._failures.pop(key, None)
        self._busy.pop(key, None)
        self._edited.discard(key)

    def clear(self) -> None:
        """Nothing is due."""
        for known in (self._times, self._heap, self._busy, self._failures, self._edited):
            known.clear()

    def __len__(self) -> int:
        return len(self._times) + len(self._busy)

    def _end(self, key: Key, again_after: float) -> None:
        self._edited.discard(key)
        woken = self._busy.pop(key, None)
        at = self.clock() + again_after
        self.wake(key, max(0.0, (at if woken is None else min(at, woken)) - self.clock()))

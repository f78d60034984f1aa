"""Arrival and service times come in, completion times of pods with slots and one line each come out, for many runs.

A pod's stalls are removed first: in its own working time, which stands still while the pod does, it is a plain queue.
Questions go to the pod with the fewest questions under way, in turn among equals, as the gateway sends them.
"""

from dataclasses import dataclass

import numpy as np

FAR = 1e9
"""Arrival of questions that fill up rows; beyond all that happens."""
REMEMBERED = 32
"""So many of a pod's latest questions are looked at to see how busy it is."""


@dataclass(frozen=True, slots=True)
class Stalls:
    """(runs, pods, stalls) beginning and length; rows are filled up with stalls of length 0, far away."""

    begin: np.ndarray
    length: np.ndarray

    @property
    def work_begin(self) -> np.ndarray:
        """When they begin in the pod's own working time."""
        return self.begin - (np.cumsum(self.length, axis=2) - self.length)


def draw_stalls(
    shape: tuple[int, int], mean_seconds: float, every: float, seconds: float, draw: np.random.Generator
) -> Stalls:
    """Exponential lengths, and exponential times between the end of one and the beginning of the next."""
    most = 1 if not mean_seconds else int(seconds / every + 6 * np.sqrt(seconds / every) + 6)
    if not mean_seconds:
        return Stalls(np.full((*shape, most), 10 * FAR), np.zeros((*shape, most)))
    between, length = draw.exponential(every, (*shape, most)), draw.exponential(mean_seconds, (*shape, most))
    begin = np.cumsum(between, axis=2) + np.cumsum(length, axis=2) - length
    late = begin > seconds
    return Stalls(np.where(late, 10 * FAR, begin), np.where(late, 0.0, length))


def completions(arrivals: np.ndarray, sizes: np.ndarray, stalls: Stalls, slots: int) -> tuple[np.ndarray, np.ndarray]:
    """(questions, runs) when each question is done, and by which pod; arrivals in order, filled up with FAR."""
    if stalls.begin.shape[1] == 1:
        return _one_pod(arrivals, sizes, stalls, slots), np.zeros(arrivals.shape, int)
    return _many_pods(arrivals, sizes, stalls, slots)


def _one_pod(arrivals: np.ndarray, sizes: np.ndarray, stalls: Stalls, slots: int) -> np.ndarray:
    number, runs = arrivals.shape
    work_begin, rows = stalls.work_begin[:, 0], np.arange(runs)
    done = np.empty((number, runs))
    for run in range(runs):
        begin, length = stalls.begin[run, 0], stalls.length[run, 0]
        knots = [0.0, *np.stack([begin, begin + length], axis=1).ravel(), 100 * FAR]
        values = [0.0, *np.repeat(work_begin[run], 2), 100 * FAR - length.sum()]
        done[:, run] = np.interp(arrivals[:, run], knots, values)
    free = np.zeros((runs, slots))
    for index in range(number):
        slot = free.argmin(axis=1)
        end = np.maximum(done[index], free[rows, slot]) + sizes[index]
        free[rows, slot] = end
        done[index] = end
    for run in range(runs):
        lost = np.append(0.0, np.cumsum(stalls.length[run, 0]))
        done[:, run] += lost[np.searchsorted(work_begin[run], done[:, run], side="left")]
    return done


def _many_pods(arrivals: np.ndarray, sizes: np.ndarray, stalls: Stalls, slots: int) -> tuple[np.ndarray, np.ndarray]:
    number, runs = arrivals.shape
    pods = stalls.begin.shape[1]
    first, turns = np.arange(runs) * pods, np.arange(pods)
    clock = _Clock.of(stalls)
    free = np.zeros((runs * pods, slots))
    recent, places = np.zeros((REMEMBERED, runs, pods)), np.zeros(runs * pods, int)
    flat_recent = recent.reshape(REMEMBERED, -1)
    done, by = np.empty((number, runs)), np.empty((number, runs), int)
    for index in range(number):
        at = arrivals[index]
        busy = (recent > at[:, None]).view(np.int8).sum(axis=0, dtype=np.int32)
        pod = first + (busy * pods + (turns - index - 1) % pods).argmin(axis=1)
        lines = free[pod]
        slot = lines.argmin(axis=1)
        end = np.maximum(clock.working(pod, at), lines.min(axis=1)) + sizes[index]
        free[pod, slot] = end
        done[index], by[index] = clock.real(pod, end), pod - first
        place = places[pod]
        flat_recent[place, pod] = done[index]
        places[pod] = (place + 1) % REMEMBERED
    return done, by


@dataclass(frozen=True, slots=True)
class _Clock:
    """Between time and a pod's own working time; arrays of (runs × pods, stalls)."""

    begin: np.ndarray
    length: np.ndarray
    work_begin: np.ndarray

    @classmethod
    def of(cls, stalls: Stalls) -> "_Clock":
        used = max(1, int((stalls.length > 0).sum(axis=2).max(initial=0)))
        parts = (stalls.begin, stalls.length, stalls.work_begin)
        return cls(*(part[:, :, :used].reshape(-1, used) for part in parts))

    def working(self, pod: np.ndarray, at: np.ndarray) -> np.ndarray:
        since = np.maximum(at[:, None] - self.begin[pod], 0.0)
        return at - np.minimum(since, self.length[pod]).sum(axis=1)

    def real(self, pod: np.ndarray, end: np.ndarray) -> np.ndarray:
        return end + (self.length[pod] * (self.work_begin[pod] < end[:, None])).sum(axis=1)

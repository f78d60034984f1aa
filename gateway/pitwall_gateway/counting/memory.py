"""When the pods of a variant were asked and how long they took in, how long slowness of a pod lasts out; pure.

The rule of batch means: cut each pod's history into batches; the shortest length at which the shares of slow questions
in neighboring batches of the same pod are no longer correlated is the memory. Pods are told apart, since the stall of
one is diluted by the others where they are many, and is everything to an arm that has no other. "Slow" is tried at
three quantiles, and the longest answer holds.
"""

from bisect import bisect_left
from collections import Counter, OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import inf, sqrt
from typing import Final

from pitwall_crds.edges import LATENCY_EDGES
from pitwall_gateway.counting.pod_history import BATCH_SECONDS, LATEST, SEGMENT_SECONDS, SEGMENTS, PodHistory, Sums

QUANTILES: Final = (0.5, 0.9, 0.99)
PODS: Final = 64
"""Pods remembered of a variant; the one that was asked longest ago gives way."""
GOLDEN: Final = 0.618
"""Multiples of it spread evenly between whole numbers: pods are summed up in turns."""
CORRELATION: Final = 0.05
"""Neighboring batches correlated less than this, plus the estimate's standard error, count as independent."""
PAIRS: Final = 60
"""A length is judged by at least so many neighbors that both hold questions."""
BATCHES: Final = 30
"""And by so many batches of each pod on average: a mean taken of fewer hides what they have in common."""
QUESTIONS: Final = 3.0
"""And by so many questions in a batch on average: chance hides what fewer have in common."""
KNOWN_SEGMENTS: Final = 3
KNOWN_QUESTIONS: Final = 0.4 * SEGMENT_SECONDS
"""Nothing is said before so many segments hold so many questions each."""
LEARNING: Final = 200
"""Questions from which the first quantiles are learned."""
LEARN_EVERY: Final = 64
FORGET_AT: Final = 20_000
"""So many questions in, the older ones weigh half: the quantiles follow the traffic."""


@dataclass(frozen=True, slots=True)
class MemoryEstimate:
    """How long slowness lasts, how much history says so, both in seconds, and of how many pods."""

    memory_seconds: int
    history_seconds: int
    pods: int


class MemoryEstimator:
    """Two hours of each pod that answers for one variant."""

    def __init__(self) -> None:
        self._pods: OrderedDict[str, PodHistory] = OrderedDict()
        self._met = 0
        self._begin: float | None = None
        self._lasted = [0] * (len(LATENCY_EDGES) + 1)
        self._learned = 0
        self._limits: tuple[float, ...] = ()

    def answered(self, pod: str, started: float, seconds: float) -> None:
        """A question asked of this pod at this time took so many seconds, or got no answer for so long."""
        self._learn(bisect_left(LATENCY_EDGES, seconds))
        if not self._limits:
            return
        if self._begin is None:
            self._begin = float(int(started))
        since = started - self._begin
        history = self._pods.get(pod)
        if history is None:
            history = self._pods[pod] = PodHistory(since, len(QUANTILES), LATEST * (self._met * GOLDEN % 1))
            self._met += 1
            if len(self._pods) > PODS:
                self._pods.popitem(last=False)
        self._pods.move_to_end(pod)
        history.answered(since, seconds, self._limits)

    def estimate(self, now: float) -> MemoryEstimate | None:
        """The memory, or None while the history does not tell."""
        since = now - (self._begin or 0.0)
        oldest = int(since) // SEGMENT_SECONDS - SEGMENTS
        held: Counter[int] = Counter()
        pods: list[Sums] = []
        for pod in self._pods.values():
            pod.settle(since)
            if segments := pod.since(oldest):
                held.update({segment.number: segment.questions for segment in segments})
                pods.append(tuple(map(sum, zip(*(segment.sums for segment in segments), strict=True))))
        if sum(number >= KNOWN_QUESTIONS for number in held.values()) < KNOWN_SEGMENTS:
            return None
        memory, history = _memory(pods, held.total()), (max(held) + 1 - min(held)) * SEGMENT_SECONDS
        return MemoryEstimate(memory, history, len(pods)) if memory else None

    def _learn(self, passed: int) -> None:
        self._lasted[passed] += 1
        self._learned += 1
        if self._learned >= FORGET_AT:
            self._lasted = [number // 2 for number in self._lasted]
            self._learned = sum(self._lasted)
        if self._learned >= LEARNING and (self._learned % LEARN_EVERY == 0 or not self._limits):
            sums, edges = list(accumulate(self._lasted)), (*LATENCY_EDGES, inf)
            self._limits = tuple(edges[bisect_left(sums, quantile * sums[-1])] for quantile in QUANTILES)


def _memory(pods: Sequence[Sums], questions: int) -> int | None:
    """The longest answer of the quantiles: each gives the shortest length, from the last one's on, at which the slow
    questions of neighbors do not agree. None if no length can be judged."""
    width = len(pods[0]) // len(BATCH_SECONDS)
    lengths = {
        seconds: [sums[place * width : (place + 1) * width] for sums in pods]
        for place, seconds in enumerate(BATCH_SECONDS)
    }
    judged = [seconds for seconds, parts in lengths.items() if _tells(parts, questions)]
    if not judged:
        return None
    memory = judged[0]
    for quantile in range(len(QUANTILES)):
        left = judged[bisect_left(judged, memory) :]
        memory = next((seconds for seconds in left if not _agree(lengths[seconds], quantile)), BATCH_SECONDS[-1])
    return memory


def _tells(parts: Sequence[Sums], questions: int) -> bool:
    batches, pairs = (sum(part[which] for part in parts) for which in range(2))
    return pairs >= PAIRS and batches >= BATCHES * len(parts) and questions >= QUESTIONS * batches


def _agree(parts: Sequence[Sums], quantile: int) -> bool:
    """Whether the shares of slow questions in neighbors are correlated, around the mean of their own pod."""
    variance = covariance = pairs_of_all = 0.0
    for part in parts:
        batches, pairs = part[:2]
        shares, squares, both, products = part[2 + 4 * quantile : 6 + 4 * quantile]
        mean = shares / (batches or 1.0)
        variance += squares - mean * shares
        covariance += products - mean * both + mean * mean * pairs
        pairs_of_all += pairs
    return covariance >= (CORRELATION + 1 / sqrt(pairs_of_all)) * variance > 0

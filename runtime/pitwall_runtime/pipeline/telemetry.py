"""The runtime's Prometheus metrics, by variant and arm."""

import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from pitwall_crds.edges import LATENCY_EDGES, SELECTION_EDGES, TOKEN_EDGES
from pitwall_crds.names import CacheResult, Label, Metric
from pitwall_runtime.stores.files.eviction import EntryKind, Quota

_WINDOW_SECONDS = 15.0
_BOTH = (Label.SAMPLER_VARIANT, Label.ARM)


class BusyWindow:
    """The share of the last 15 seconds that the encoder was busy, 0 to 1."""

    def __init__(self) -> None:
        self._spans: deque[tuple[float, float]] = deque()
        self._guard = threading.Lock()

    def add(self, seconds: float) -> None:
        """The encoder was busy for `seconds` until now."""
        with self._guard:
            self._spans.append((time.monotonic(), seconds))

    def share(self) -> float:
        """Busy seconds within the window, divided by the window."""
        opens = time.monotonic() - _WINDOW_SECONDS
        with self._guard:
            while self._spans and self._spans[0][0] < opens:
                self._spans.popleft()
            busy = sum(min(seconds, end - opens) for end, seconds in self._spans)
        return min(1.0, busy / _WINDOW_SECONDS)


@dataclass(frozen=True, slots=True)
class CacheLookups:
    """One question's frames in the embed cache: those that were there, of them those in memory and those that shared
    tiers `brought`, and those that had to be encoded."""

    hits: int
    misses: int
    remembered: int = 0
    brought: Mapping[str, int] = field(default_factory=dict)

    def by_tier(self) -> dict[str, int]:
        """Frames by the tier that had them, fastest first."""
        disk = self.hits - self.remembered - sum(self.brought.values())
        return {"memory": self.remembered, "disk": disk, **self.brought}


class RuntimeTelemetry:
    """The runtime's series of one process. `home_arm` labels work that belongs to no single question."""

    def __init__(self, variant: str, home_arm: str) -> None:
        self.registry = CollectorRegistry()
        self._variant, self._home_arm = variant, home_arm
        self._window = BusyWindow()
        self._tokens = self._histogram(Metric.TOKENS_PER_QUERY, "Tokens a query spent.", TOKEN_EDGES)
        self._selection = self._histogram(Metric.FRAME_SELECTION, "Seconds to choose frames.", SELECTION_EDGES)
        self._stages = self._histogram(Metric.STAGE_DURATION, "Seconds per stage.", LATENCY_EDGES, Label.STAGE)
        self._busy = self._counter(Metric.ENCODER_BUSY, "Seconds the encoder worked.")
        self._lookups = self._counter(Metric.CACHE_LOOKUPS, "Frames looked up in the embed cache.", Label.RESULT)
        self._tiers = self._counter(
            Metric.CACHE_TIERS, "Frames looked up in each tier of the embed cache.", Label.TIER, Label.RESULT
        )
        self._frames = self._counter(Metric.FRAME_LOOKUPS, "Questions whose frames were stored.", Label.RESULT)
        self._frame_tiers = self._counter(
            Metric.FRAME_TIERS, "Questions whose frames each tier of the store had.", Label.TIER, Label.RESULT
        )
        kinds = (Label.SAMPLER_VARIANT, Label.KIND)
        self._bytes = Gauge(Metric.CACHE_BYTES, "Bytes in the cache folder.", kinds, registry=self.registry)
        self._evictions = Counter(
            Metric.CACHE_EVICTIONS, "Entries evicted from the cache folder.", kinds, registry=self.registry
        )
        self._queries = self._counter(Metric.CACHE_QUERIES, "Queries by cache state.", Label.RESULT)
        gauge = Gauge(Metric.ENCODER_UTILIZATION, "Busy share of the last 15 seconds.", _BOTH, registry=self.registry)
        gauge.labels(variant, home_arm).set_function(self._window.share)
        self._busy.labels(variant, home_arm)

    def encoder_busy(self, seconds: float, arm: str = "") -> None:
        """A forward pass of the encoder took `seconds`, for a question of this arm if for any."""
        self._window.add(seconds)
        self._busy.labels(self._variant, arm or self._home_arm).inc(seconds)

    def watch(self, quota: Quota) -> None:
        """Show what the cache folder holds, and count what is evicted from it."""
        for kind in EntryKind:
            self._bytes.labels(self._variant, kind).set_function(partial(quota.bytes_of, kind))
            self._evictions.labels(self._variant, kind)
        quota.told = lambda kind: self._evictions.labels(self._variant, kind).inc()

    def frames(self, arm: str, tiers: Sequence[str], source: str) -> None:
        """A question's pool of frames came from this one of the tiers that are asked, fastest first, or of none: then
        it had to be made."""
        self._frames.labels(self._variant, arm, CacheResult.HIT if source in tiers else CacheResult.MISS).inc()
        for tier in tiers:
            result = CacheResult.HIT if tier == source else CacheResult.MISS
            self._frame_tiers.labels(self._variant, arm, tier, result).inc()
            if tier == source:
                break

    def question(self, arm: str, stages: Mapping[str, float], tokens: int, lookups: CacheLookups) -> None:
        """One answered question: its tokens, its stages' seconds and its cache lookups."""
        labels = (self._variant, arm)
        self._tokens.labels(*labels).observe(tokens)
        self._selection.labels(*labels).observe(stages["select"])
        for stage, seconds in stages.items():
            self._stages.labels(*labels, stage).observe(seconds)
        self._lookups.labels(*labels, CacheResult.HIT).inc(lookups.hits)
        self._lookups.labels(*labels, CacheResult.MISS).inc(lookups.misses)
        self._count_tiers(labels, lookups)
        self._queries.labels(*labels, CacheResult.COLD if lookups.misses else CacheResult.WARM).inc()

    def _count_tiers(self, labels: tuple[str, str], lookups: CacheLookups) -> None:
        """Each tier is asked for what the ones before it did not have: this process's memory first."""
        asked = lookups.hits + lookups.misses
        for tier, found in lookups.by_tier().items():
            self._tiers.labels(*labels, tier, CacheResult.HIT).inc(found)
            self._tiers.labels(*labels, tier, CacheResult.MISS).inc(asked - found)
            asked -= found

    def exposition(self) -> bytes:
        """All series as Prometheus text."""
        return generate_latest(self.registry)

    def _histogram(self, metric: Metric, text: str, edges: tuple[float, ...], *more: Label) -> Histogram:
        return Histogram(metric, text, (*_BOTH, *more), buckets=edges, registry=self.registry)

    def _counter(self, metric: Metric, text: str, *more: Label) -> Counter:
        return Counter(metric, text, (*_BOTH, *more), registry=self.registry)

"""Reads the counters of all moving rollouts together, once a second, and hands each rollout its part."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from pitwall_crds.host.printable import printable, shortened
from pitwall_crds.rollout.rollout import Rollout
from pitwall_crds.variant.variant import FiveMetrics
from pitwall_operator.observe.prometheus import PrometheusSource
from pitwall_operator.observe.promql import Interest, interest
from pitwall_operator.observe.snapshot import CounterSnapshot
from pitwall_operator.values.object_key import Key
from pitwall_operator.values.observation import Reading, Unseen

log = logging.getLogger(__name__)

NO_PROMETHEUS: Final = Unseen("no Prometheus is configured: start the operator with --prometheus-url")
VARIANT_METRICS_SECONDS: Final = 30.0
LONGEST_NAME: Final = 300
MOST_STRANGERS: Final = 1000
"""Who makes pods again and again must not make the log, nor what is remembered of it, grow without end."""


@dataclass(slots=True)
class Reader:
    """What was read last. A rollout says at each reconciliation whether it is interested."""

    prometheus: PrometheusSource | None
    every_seconds: float = 1.0
    stale_seconds: float = 60.0
    clock: Callable[[], float] = time.monotonic
    _interests: dict[Key, Interest] = field(default_factory=dict)
    _latest: CounterSnapshot | Unseen = field(default_factory=lambda: Unseen("the first reading is on its way"))
    _latest_at: float = 0.0
    _variant_metrics: Mapping[Key, FiveMetrics] = field(default_factory=dict)
    _variant_metrics_at: float = float("-inf")
    _looked_aside_at: float = float("-inf")
    _strangers: set[str] = field(default_factory=set)

    def reading(self, rollout: Rollout) -> Reading | Unseen:
        """The newest reading, as this rollout sees it."""
        if self.prometheus is None:
            return NO_PROMETHEUS
        key = (rollout.metadata.namespace, rollout.metadata.name)
        if not rollout.status.candidate_variant:
            self._interests.pop(key, None)
            return Unseen("nothing is measured while no candidate moves")
        mine = self._interests[key] = interest(rollout)
        if isinstance(self._latest, Unseen):
            return self._latest
        if self.clock() - self._latest_at > self.stale_seconds:
            return Unseen(f"stale: Prometheus was last read {self.clock() - self._latest_at:.0f} s ago")
        return self._latest.reading(mine, self.stale_seconds)

    async def look(self, rollout: Rollout) -> Reading | Unseen:
        """A reading of its own, for one who asks before a candidate moves."""
        if self.prometheus is None:
            return NO_PROMETHEUS
        mine = interest(rollout)
        snapshot = await self.prometheus.read((mine,))
        return snapshot if isinstance(snapshot, Unseen) else snapshot.reading(mine, self.stale_seconds)

    def variant_metrics(self, variant: Key) -> FiveMetrics | None:
        """A variant's last observed metrics; None if they were not read lately."""
        if self.clock() - self._variant_metrics_at > 2 * VARIANT_METRICS_SECONDS:
            return None
        return self._variant_metrics.get(variant) or self._variant_metrics.get(("", variant[1]))

    def forget(self, rollout: Key) -> None:
        """The rollout is gone."""
        self._interests.pop(rollout, None)

    def clear(self) -> None:
        """Another replica reads from now on."""
        self._interests.clear()
        self._latest = Unseen("the first reading is on its way")

    async def keep_reading(self, stopped: asyncio.Event) -> None:
        """Read as long as any rollout is interested."""
        while not stopped.is_set():
            started = self.clock()
            if self._interests and self.prometheus is not None:
                await self._read(self.prometheus)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopped.wait(), max(0.05, self.every_seconds - (self.clock() - started)))

    async def _read(self, prometheus: PrometheusSource) -> None:
        known = self._latest
        interests = tuple(self._interests.values())
        self._latest, self._latest_at = await prometheus.read(interests), self.clock()
        if isinstance(self._latest, Unseen):
            if not isinstance(known, Unseen):
                log.warning("%s", self._latest.reason)
            return
        if isinstance(known, Unseen):
            log.info("Prometheus is read: %d processes", len(self._latest.processes))
        if self.clock() - self._looked_aside_at >= VARIANT_METRICS_SECONDS:
            self._looked_aside_at = self.clock()  # also where nothing comes of it: the counters are waited for
            found = await prometheus.variant_metrics(interests)
            if not isinstance(found, Unseen):
                self._variant_metrics, self._variant_metrics_at = found, self.clock()
            self._tell_strangers(await prometheus.strangers(interests))

    def _tell_strangers(self, strangers: Iterable[str]) -> None:
        """Once of each: its series are never read, and no rollout waits because of them."""
        for name in strangers:
            if name in self._strangers or len(self._strangers) >= MOST_STRANGERS:
                continue
            self._strangers.add(name)
            log.warning(
                "%s is no gateway by its labels, yet shows what only gateways count: it is not believed; "
                "look what that pod is, or at prometheus.gateways if it is one",
                shortened(printable(name[:LONGEST_NAME]), LONGEST_NAME),
            )

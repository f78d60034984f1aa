"""The ingest worker's Prometheus metrics: the queue's depth, by which an autoscaler sizes the workers, and outcomes."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Final

from prometheus_client import CollectorRegistry, Counter, make_asgi_app
from prometheus_client.core import GaugeMetricFamily

from pitwall_crds.host.http.server import ThreadServer
from pitwall_crds.host.sockets import listen
from pitwall_crds.names import Label, Metric
from pitwall_runtime.errors import QueueAwayError
from pitwall_runtime.ingest.queue.port import QueueDepth

_FRESH_SECONDS: Final = 5.0


class IngestTelemetry:
    """The series of one worker. `depth` is asked at most every five seconds; a queue that is away has no sample, nor
    one that does not answer within `patience_seconds`: else the whole reading would be too late for who collects it."""

    def __init__(self, depth: Callable[[], QueueDepth], patience_seconds: float = 2.0) -> None:
        self.registry = CollectorRegistry()
        self._depth = depth
        self._patience_seconds = patience_seconds
        self._known: tuple[float, QueueDepth] | None = None
        self._asked: Future[QueueDepth] | None = None
        self._guard = threading.Lock()
        self._ended = Counter(Metric.INGEST_JOBS, "Ingest jobs that ended.", (Label.OUTCOME,), registry=self.registry)
        self.registry.register(self)

    def ended(self, outcome: str) -> None:
        """A job ended: ready, failed or again."""
        self._ended.labels(outcome).inc()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Prometheus' collector."""
        try:
            depth = self._now()
        except (QueueAwayError, FutureTimeoutError):
            return
        (family,) = self.describe()
        for state, count in (("waiting", depth.waiting), ("taken", depth.taken), ("dead", depth.dead)):
            family.add_metric((state,), count)
        yield family

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """The family without samples: nothing is asked of the queue when the collector is registered."""
        yield GaugeMetricFamily(Metric.INGEST_QUEUE, "Videos in the ingest queue, by state.", labels=(Label.STATE,))

    def serve(self, host: str, port: int) -> None:
        """Serve /metrics in a thread of its own. Raises PortError."""
        ThreadServer(make_asgi_app(self.registry), listen(host, port, option="--metrics-port"))

    def _now(self) -> QueueDepth:
        with self._guard:
            if self._known and time.monotonic() - self._known[0] <= _FRESH_SECONDS:
                return self._known[1]
            if self._asked is None:
                self._asked = Future()
                threading.Thread(target=self._ask, args=(self._asked,), name="depth", daemon=True).start()
            asked = self._asked
        return asked.result(self._patience_seconds)

    def _ask(self, asked: "Future[QueueDepth]") -> None:
        try:
            depth = self._depth()
        except BaseException as error:
            with self._guard:
                self._asked = None
            asked.set_exception(error)
        else:
            with self._guard:
                self._known, self._asked = (time.monotonic(), depth), None
            asked.set_result(depth)

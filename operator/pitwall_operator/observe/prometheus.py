"""Reads counters from a Prometheus server.

What cannot be read is told apart by its cause: Prometheus is down, it refuses, its answer makes no sense, there is no
data, or the data is stale.
"""

import asyncio
import logging
import math
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final

import requests
from prometheus_api_client import PrometheusConnect
from prometheus_api_client.exceptions import PrometheusApiClientException

from pitwall_crds.names import Label
from pitwall_crds.variant.variant import FiveMetrics
from pitwall_operator.kube.cache import Key
from pitwall_operator.observe import promql, variant_metrics
from pitwall_operator.observe.exchange import BoundedAdapter
from pitwall_operator.observe.promql import Interest
from pitwall_operator.values.observation import ProcessCounters, Reading, Unseen

log = logging.getLogger(__name__)

TIMEOUT_SECONDS: Final = 5
WHOLE_TIMEOUTS: Final = 2
"""A whole exchange may take so many times as long as a silence of the server."""
MOST_BYTES: Final = 256 << 20
THREADS: Final = 8
"""Queries at once. They are threads of their own: an answer that comes in drops must not keep names from being looked
up for the API server's client."""
LAG_SECONDS: Final = 0.5
"""A query asks for so long ago, by Prometheus' own clock: what was scraped then has been stored since."""

NAME: Final = "__name__"
_METRIC_LABELS: Final = frozenset({*Label, "le", NAME})
_REPLICA_LABELS: Final = frozenset({"prometheus", "prometheus_replica", "replica", "__replica__"})

Series = tuple[Mapping[str, str], float]


@dataclass(slots=True)
class _Process:
    """A scraped process: what Prometheus calls it, and its samples by name and metric labels."""

    start_time: float = 0.0
    scraped: float = 0.0
    samples: dict[str, dict[frozenset[tuple[str, str]], Series]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CounterSnapshot:
    """All that was read at one moment, by the namespace in which it was scraped ('' where targets have none).

    Attributes:
        time: the moment by the operator's clock, which is what a decision compares it with.
        asked_for: the same moment by Prometheus' clock, which is what scrapes are dated by.
    """

    time: float
    asked_for: float
    processes: Mapping[tuple[str, str], _Process]
    interests: frozenset[tuple[str, frozenset[str]]]

    def reading(self, one: Interest, stale_seconds: float) -> Reading | Unseen:
        """What one rollout sees of it."""
        if (one.namespace, one.variants) not in self.interests:
            return Unseen("the first reading of these variants is on its way")
        seen = {
            f"{namespace}/{name}@{process.start_time:.0f}": process
            for (namespace, name), process in self.processes.items()
            if namespace in (one.namespace, "") and process.samples and _counts_for(process, one.variants)
        }
        if not seen:
            return Unseen(
                f"no data: Prometheus has no series of {' or '.join(sorted(one.variants))} in namespace "
                f"{one.namespace!r}; check that it scrapes gateway and runtime pods, and that questions come in"
            )
        age = self.asked_for - max(process.scraped for process in seen.values())
        if age > stale_seconds:
            return Unseen(
                f"stale: the newest sample is {age:.0f} s old, more than {stale_seconds:.0f} s; "
                "check Prometheus' targets page"
            )
        return Reading(self.time, {identity: _source(process) for identity, process in seen.items()})


def _counts_for(process: _Process, variants: frozenset[str]) -> bool:
    return any(
        labels.get(Label.SAMPLER_VARIANT) in variants
        for series in process.samples.values()
        for labels, _ in series.values()
    )


def _source(process: _Process) -> ProcessCounters:
    return ProcessCounters(
        process.start_time, {name: tuple(series.values()) for name, series in process.samples.items()}
    )


@dataclass(slots=True)
class PrometheusSource:
    """One Prometheus server. Queries run in threads, behind a timeout."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    timeout_seconds: int = TIMEOUT_SECONDS
    clock: Callable[[], float] = time.time
    _client: Any = field(init=False)
    _threads: ThreadPoolExecutor = field(init=False)

    def __post_init__(self) -> None:
        self._client = PrometheusConnect(
            self.url, headers=dict(self.headers), session=requests.Session(), timeout=self.timeout_seconds,
            method="POST",
        )  # fmt: skip
        self._client._session.mount(self.url, BoundedAdapter(self._whole_seconds, MOST_BYTES))
        self._threads = ThreadPoolExecutor(THREADS, "prometheus")

    @property
    def _whole_seconds(self) -> float:
        return WHOLE_TIMEOUTS * self.timeout_seconds

    def close(self) -> None:
        """Close the connections."""
        self._client.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def read(self, interests: Iterable[Interest]) -> CounterSnapshot | Unseen:
        """Everything that these rollouts count, at one moment."""
        wanted = tuple(interests)
        moment = await self._moment()
        if isinstance(moment, Unseen):
            return moment
        now = self.clock() - LAG_SECONDS
        starts, ages, *families = await asyncio.gather(
            *(
                self.query(query, moment)
                for query in (promql.source_query(wanted), promql.age_query(wanted), *promql.counter_queries(wanted))
            )
        )
        failed = next((answer for answer in (starts, ages, *families) if isinstance(answer, Unseen)), None)
        if failed is not None:
            return failed
        processes: dict[tuple[str, str], _Process] = {}
        for labels, value in _series(families):
            known = processes.setdefault(_identity(labels), _Process())
            own = {name: text for name, text in labels.items() if name in _METRIC_LABELS and name != NAME}
            known.samples.setdefault(labels.get(NAME, ""), {})[frozenset(own.items())] = (own, value)
        for labels, value in _series([starts]):
            if _identity(labels) in processes:
                processes[_identity(labels)].start_time = value
        for labels, value in _series([ages]):
            if _identity(labels) in processes:
                processes[_identity(labels)].scraped = value
        return CounterSnapshot(now, moment, processes, frozenset((one.namespace, one.variants) for one in wanted))

    async def variant_metrics(self, interests: Iterable[Interest]) -> Mapping[Key, FiveMetrics] | Unseen:
        """The last observed metrics of every variant of these rollouts, by namespace and variant."""
        queries = promql.variant_metric_queries(interests)
        moment = await self._moment()
        if isinstance(moment, Unseen):
            return moment
        answers = await asyncio.gather(*(self.query(query, moment) for query in queries.values()))
        found: dict[Key, dict[str, float]] = {}
        for name, answer in zip(queries, answers, strict=True):
            if isinstance(answer, Unseen):
                return answer
            for labels, value in answer:
                key = (labels.get("namespace", ""), labels.get(Label.SAMPLER_VARIANT, ""))
                found.setdefault(key, {})[name] = value
        return {key: variant_metrics.texts(values) for key, values in found.items()}

    async def _moment(self) -> float | Unseen:
        """The moment to ask for, by Prometheus' clock: by another one, old counters could be taken for new ones."""
        answer = await self.query("vector(time())")
        if isinstance(answer, Unseen):
            return answer
        return answer[0][1] - LAG_SECONDS if answer else Unseen(f"the answer of {self.url} is not Prometheus': no time")

    async def query(self, query: str, moment: float | None = None) -> list[Series] | Unseen:
        """One instant query; without a moment, for now."""
        at = None if moment is None else {"time": f"{moment:.3f}"}
        try:
            async with asyncio.timeout(self._whole_seconds):
                asked = asyncio.get_running_loop().run_in_executor
                answer = await asked(self._threads, self._client.custom_query, query, at)
            return [(entry["metric"], float(entry["value"][1])) for entry in answer]
        except requests.exceptions.JSONDecodeError as error:
            return Unseen(f"the answer of {self.url} is not Prometheus': {error}")
        except TimeoutError:
            return Unseen(f"Prometheus is down: {self.url} gave no whole answer within {self._whole_seconds:g} s")
        except requests.exceptions.RequestException as error:
            return Unseen(f"Prometheus is down: {self.url} does not answer ({_reason(error)})")
        except PrometheusApiClientException as error:
            return Unseen(f"Prometheus refuses: {str(error)[:300]}")
        except (KeyError, TypeError, ValueError, IndexError) as error:
            return Unseen(f"the answer of {self.url} is not Prometheus': {type(error).__name__} {error}"[:300])


def _reason(error: Exception) -> str:
    inner = getattr(error.args[0], "reason", None) if error.args else None
    return str(inner or error)[-200:]


def _series(answers: Iterable[list[Series] | Unseen]) -> Iterable[Series]:
    for answer in answers:
        if not isinstance(answer, Unseen):
            yield from (series for series in answer if not math.isnan(series[1]))


def _identity(labels: Mapping[str, str]) -> tuple[str, str]:
    """A process by the labels that its target has: namespace and pod where there are any; copies of a replicated
    Prometheus are one."""
    namespace, pod = labels.get("namespace", ""), labels.get("pod", "")
    target = {name for name in labels if name not in _METRIC_LABELS and name not in _REPLICA_LABELS}
    instance = labels.get("instance") or ",".join(f"{name}={labels[name]}" for name in sorted(target))
    return namespace, (f"{pod}/{instance}" if pod else instance)

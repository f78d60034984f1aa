"""Reads counters from a Prometheus server.

What cannot be read is told apart by its cause: Prometheus is down, it refuses, its answer makes no sense, there is no
data, too much data, or the data is stale.
"""

import asyncio
import logging
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, Final

import requests
from prometheus_api_client import PrometheusConnect
from prometheus_api_client.exceptions import PrometheusApiClientException

from pitwall_crds.names import Label
from pitwall_crds.variant.variant import FiveMetrics
from pitwall_operator.kube.cache import Key
from pitwall_operator.observe import promql, variant_metrics
from pitwall_operator.observe.exchange import AnswersTooLongError, BoundedAdapter, ByteAllowance
from pitwall_operator.observe.promql import Interest
from pitwall_operator.values.observation import ProcessCounters, Reading, Unseen

log = logging.getLogger(__name__)

TIMEOUT_SECONDS: Final = 5
WHOLE_TIMEOUTS: Final = 2
"""A whole exchange may take so many times as long as a silence of the server."""
MOST_BYTES: Final = 32 << 20
"""Of all answers of one reading together, some 80 000 series: held as objects they take ten times as much memory."""
THREADS: Final = 8
"""Queries at once. They are threads of their own: an answer that comes in drops must not keep names from being looked
up for the API server's client."""
LEAST_SHARE: Final = 16
"""Where all namespaces together say too much, each is read alone, with a fair share, or at least this part of it."""
LAG_SECONDS: Final = 0.5
"""A query asks for so long ago, by Prometheus' own clock: what was scraped then has been stored since."""

NAME: Final = "__name__"
_METRIC_LABELS: Final = frozenset({*Label, "le", NAME})
_REPLICA_LABELS: Final = frozenset({"prometheus", "prometheus_replica", "replica", "__replica__"})

Series = tuple[Mapping[str, str], float]
Answer = list[Series] | Unseen


@dataclass(slots=True)
class _Process:
    """A scraped process: what Prometheus calls it, and its samples by name and metric labels."""

    start_time: float = 0.0
    scraped: float = 0.0
    samples: dict[str, dict[frozenset[tuple[str, str]], Series]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TooMuch(Unseen):
    """What was asked for is longer than is allowed."""


@dataclass(frozen=True, slots=True)
class CounterSnapshot:
    """All that was read at one moment, by the namespace in which it was scraped ('' where targets have none).

    Attributes:
        time: the moment by the operator's clock, which is what a decision compares it with.
        asked_for: the same moment by Prometheus' clock, which is what scrapes are dated by.
        unread: the namespaces of which there is too much.
    """

    time: float
    asked_for: float
    processes: Mapping[tuple[str, str], _Process]
    interests: frozenset[tuple[str, frozenset[str]]]
    unread: Mapping[str, Unseen] = field(default_factory=dict)

    def reading(self, one: Interest, stale_seconds: float) -> Reading | Unseen:
        """What one rollout sees of it."""
        if one.namespace in self.unread:
            return self.unread[one.namespace]
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
    most_bytes: int = MOST_BYTES
    _adapter: BoundedAdapter = field(init=False)
    _client: Any = field(init=False)
    _threads: ThreadPoolExecutor = field(init=False)

    def __post_init__(self) -> None:
        self._client = PrometheusConnect(
            self.url, headers=dict(self.headers), session=requests.Session(), timeout=self.timeout_seconds,
            method="POST",
        )  # fmt: skip
        self._adapter = BoundedAdapter(self._whole_seconds)
        self._client._session.mount(self.url, self._adapter)
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
        found = await self._snapshot(wanted, moment, self.most_bytes)
        if not isinstance(found, TooMuch) or len({one.namespace for one in wanted}) == 1:
            return found
        return await self._one_by_one(wanted, moment)

    async def _one_by_one(self, wanted: Sequence[Interest], moment: float) -> CounterSnapshot | Unseen:
        """Each namespace alone, so that pods of one blind none but its own rollouts."""
        namespaces = sorted({one.namespace for one in wanted})
        whole = CounterSnapshot(self.clock() - LAG_SECONDS, moment, {}, frozenset(map(_key, wanted)))
        share = self.most_bytes // min(len(namespaces), LEAST_SHARE)
        for namespace in namespaces:
            part = await self._snapshot([one for one in wanted if one.namespace == namespace], moment, share)
            if isinstance(part, TooMuch):
                whole = replace(whole, unread={**whole.unread, namespace: part})
            elif isinstance(part, Unseen):
                return part
            else:
                whole = replace(whole, processes={**whole.processes, **part.processes})
        return whole

    async def _snapshot(self, wanted: Sequence[Interest], moment: float, most_bytes: int) -> CounterSnapshot | Unseen:
        now, allowance = self.clock() - LAG_SECONDS, ByteAllowance(most_bytes)
        starts, ages, *families = await asyncio.gather(
            *(
                self.query(query, moment, allowance)
                for query in (promql.source_query(wanted), promql.age_query(wanted), *promql.counter_queries(wanted))
            )
        )
        failed = [answer for answer in (starts, ages, *families) if isinstance(answer, Unseen)]
        if failed:
            return next((answer for answer in failed if isinstance(answer, TooMuch)), failed[0])
        # In a thread: many series take seconds, in which the lease must be renewed.
        processes = await asyncio.get_running_loop().run_in_executor(
            self._threads, _processes, starts, ages, families
        )  # fmt: skip
        return CounterSnapshot(now, moment, processes, frozenset(map(_key, wanted)))

    async def variant_metrics(self, interests: Iterable[Interest]) -> Mapping[Key, FiveMetrics] | Unseen:
        """The last observed metrics of every variant of these rollouts, by namespace and variant."""
        queries = promql.variant_metric_queries(interests)
        moment = await self._moment()
        if isinstance(moment, Unseen):
            return moment
        allowance = ByteAllowance(self.most_bytes)
        answers = await asyncio.gather(*(self.query(query, moment, allowance) for query in queries.values()))
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

    async def query(
        self, query: str, moment: float | None = None, allowance: ByteAllowance | None = None
    ) -> list[Series] | Unseen:
        """One instant query; without a moment, for now. It shares `allowance` with what is held beside it."""
        at = None if moment is None else {"time": f"{moment:.3f}"}
        try:
            async with asyncio.timeout(self._whole_seconds):
                asked = asyncio.get_running_loop().run_in_executor
                return await asked(self._threads, self._ask, query, at, allowance or ByteAllowance(self.most_bytes))
        except requests.exceptions.JSONDecodeError as error:
            return Unseen(f"the answer of {self.url} is not Prometheus': {error}")
        except AnswersTooLongError as error:
            return TooMuch(
                f"too much data: what Prometheus has of these variants is {error}; find whose it is by "
                "topk(9, count by (namespace, job, pod) ({sampler_variant!=''})), or raise prometheus.mostMebibytes"
            )
        except TimeoutError:
            return Unseen(f"Prometheus is down: {self.url} gave no whole answer within {self._whole_seconds:g} s")
        except requests.exceptions.RequestException as error:
            return Unseen(f"Prometheus is down: {self.url} does not answer ({_reason(error)})")
        except PrometheusApiClientException as error:
            return Unseen(f"Prometheus refuses: {str(error)[:300]}")
        except (KeyError, TypeError, ValueError, IndexError) as error:
            return Unseen(f"the answer of {self.url} is not Prometheus': {type(error).__name__} {error}"[:300])

    def _ask(self, query: str, at: Mapping[str, str] | None, allowance: ByteAllowance) -> list[Series]:
        with self._adapter.within(allowance):
            answer = self._client.custom_query(query, at)
        return [(entry["metric"], float(entry["value"][1])) for entry in answer]


def _key(one: Interest) -> tuple[str, frozenset[str]]:
    return one.namespace, one.variants


def _processes(starts: Answer, ages: Answer, families: Iterable[Answer]) -> dict[tuple[str, str], _Process]:
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
    return processes


def _reason(error: Exception) -> str:
    inner = getattr(error.args[0], "reason", None) if error.args else None
    return str(inner or error)[-200:]


def _series(answers: Iterable[Answer]) -> Iterable[Series]:
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

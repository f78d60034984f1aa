"""Reads counters from a Prometheus server.

What cannot be read is told apart by its cause: Prometheus is down, it refuses, its answer makes no sense, there is no
data, too much data, or the data is stale.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, Final

import requests
from prometheus_api_client import PrometheusConnect
from prometheus_api_client.exceptions import PrometheusApiClientException

from pitwall_crds.host.printable import printable
from pitwall_crds.names import Label
from pitwall_crds.variant.variant import FiveMetrics
from pitwall_operator.observe import promql, variant_metrics
from pitwall_operator.observe.apart import AT_ONCE, ON_ITS_WAY, ApartReader
from pitwall_operator.observe.bounded_exchange import AnswersTooLongError, BoundedAdapter, ByteAllowance
from pitwall_operator.observe.countable import LARGEST
from pitwall_operator.observe.gateways import GATEWAYS, down, targets_of
from pitwall_operator.observe.promql import Interest
from pitwall_operator.observe.snapshot import CounterSnapshot, Series, identity, processes_of
from pitwall_operator.values.object_key import Key
from pitwall_operator.values.observation import Unseen

log = logging.getLogger(__name__)

TIMEOUT_SECONDS: Final = 5
WHOLE_TIMEOUTS: Final = 2
"""A whole exchange may take so many times as long as a silence of the server."""
MOST_BYTES: Final = 64 << 20
"""Of all answers of one reading together, some 160 000 series: held as objects they take ten times as much memory."""
THREADS: Final = 8
"""Queries at once. They are threads of their own: an answer that comes in drops must not keep names from being looked
up for the API server's client."""
QUERIES_OF_ONE: Final = 2
"""At once, of a namespace that is read alone: in threads of its own, so that it keeps no other waiting."""
LEAST_SHARE: Final = 16
"""Where all namespaces together say too much, each is read alone, with a fair share, or at least this part of it."""
LAG_SECONDS: Final = 0.5
"""A query asks for so long ago, by Prometheus' own clock: what was scraped then has been stored since."""

Answer = list[Series] | Unseen


@dataclass(frozen=True, slots=True)
class TooMuch(Unseen):
    """What was asked for is longer than is allowed, or Prometheus refuses it, as where it is more than it reads."""


@dataclass(slots=True)
class PrometheusSource:
    """One Prometheus server. Queries run in threads, behind a timeout. `gateways` are the label matchers of targets
    that are gateways: of nothing else is read what gates weigh."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    timeout_seconds: int = TIMEOUT_SECONDS
    clock: Callable[[], float] = time.time
    most_bytes: int = MOST_BYTES
    gateways: str = GATEWAYS
    _adapter: BoundedAdapter = field(init=False)
    _client: Any = field(init=False)
    _threads: ThreadPoolExecutor = field(init=False)
    _threads_alone: ThreadPoolExecutor = field(init=False)
    _apart: ApartReader = field(default_factory=ApartReader)

    def __post_init__(self) -> None:
        self._client = PrometheusConnect(
            self.url, headers=dict(self.headers), session=requests.Session(), timeout=self.timeout_seconds,
            method="POST",
        )  # fmt: skip
        self._adapter = BoundedAdapter(self._whole_seconds)
        self._client._session.mount(self.url, self._adapter)
        self._threads = ThreadPoolExecutor(THREADS, "prometheus")
        self._threads_alone = ThreadPoolExecutor(AT_ONCE * QUERIES_OF_ONE, "prometheus-alone")

    @property
    def _whole_seconds(self) -> float:
        return WHOLE_TIMEOUTS * self.timeout_seconds

    def close(self) -> None:
        """Close the connections."""
        self._client.close()
        self._apart.close()
        for threads in (self._threads, self._threads_alone):
            threads.shutdown(wait=False, cancel_futures=True)

    async def read(self, interests: Iterable[Interest]) -> CounterSnapshot | Unseen:
        """Everything that these rollouts count, at one moment; of namespaces that hold up the others, what was read of
        them last. It takes as long as one exchange and a time-out of `timeout_seconds`, whatever pods show."""
        wanted = tuple(interests)
        moment = await self._moment()
        if isinstance(moment, Unseen):
            return moment
        namespaces = {one.namespace for one in wanted}
        if len(namespaces) == 1:
            return await self._snapshot(wanted, moment, self.most_bytes)
        apart = self._apart.namespaces() & namespaces
        share = self.most_bytes // min(len(namespaces), LEAST_SHARE)
        for namespace in sorted(apart):
            self._begin_alone(namespace, wanted, share)
        together = [one for one in wanted if one.namespace not in apart]
        found: CounterSnapshot | Unseen = CounterSnapshot(self.clock() - LAG_SECONDS, moment, {}, frozenset())
        if together:
            found = await self._snapshot(together, moment, max(share, self.most_bytes - len(apart) * share))
        if isinstance(found, CounterSnapshot):
            return replace(found, apart={one: self._apart.latest(one) for one in apart})
        return await self._each_alone(wanted, apart, moment, share) or found

    async def _each_alone(
        self, wanted: Sequence[Interest], apart: Collection[str], moment: float, share: int
    ) -> CounterSnapshot | None:
        """Each namespace by itself, side by side, so that pods of one blind none but its own rollouts; None where that
        helps none. Those that were not read in time stay apart, all of them if each can be read alone only."""
        suspects = {one.namespace for one in wanted} - set(apart)
        for namespace in sorted(suspects):
            self._begin_alone(namespace, wanted, share)
        await self._apart.settle(suspects, self.timeout_seconds)
        parts = {one: self._apart.latest(one) for one in (*apart, *suspects)}
        sound = {one for one in suspects if isinstance(parts[one], CounterSnapshot)}
        if not sound and not any(parts[one] is ON_ITS_WAY for one in suspects):
            self._apart.rejoin(suspects)
        elif sound != suspects:
            self._apart.rejoin(sound)
        if not any(isinstance(part, CounterSnapshot) or part is ON_ITS_WAY for part in parts.values()):
            return None
        return CounterSnapshot(self.clock() - LAG_SECONDS, moment, {}, frozenset(), apart=parts)

    def _begin_alone(self, namespace: str, wanted: Sequence[Interest], share: int) -> None:
        mine = [one for one in wanted if one.namespace == namespace]

        async def read() -> CounterSnapshot | Unseen:
            moment = await self._moment()
            return moment if isinstance(moment, Unseen) else await self._snapshot(mine, moment, share, alone=True)

        self._apart.begin(namespace, read)

    async def _snapshot(
        self, wanted: Sequence[Interest], moment: float, most_bytes: int, *, alone: bool = False
    ) -> CounterSnapshot | Unseen:
        now, allowance = self.clock() - LAG_SECONDS, ByteAllowance(most_bytes)
        queries = (
            promql.gateway_query(wanted, self.gateways),
            promql.source_query(wanted, self.gateways),
            promql.age_query(wanted, self.gateways),
            *promql.counter_queries(wanted, self.gateways),
        )
        room, failed = asyncio.Semaphore(QUERIES_OF_ONE if alone else THREADS), list[Unseen]()

        async def ask(query: str) -> Answer:
            async with room:
                if failed:  # nothing comes of the others any more
                    return failed[0]
                answer = await self.query(query, moment, allowance, alone=alone)
                failed.extend([answer] if isinstance(answer, Unseen) else [])
                return answer

        answers = await asyncio.gather(*map(ask, queries))
        if failed:
            return next((answer for answer in failed if isinstance(answer, TooMuch)), failed[0])
        up, starts, ages, *families = (answer for answer in answers if not isinstance(answer, Unseen))
        gateways = targets_of(up)
        # In a thread: many series take seconds, in which the lease must be renewed.
        in_thread = asyncio.get_running_loop().run_in_executor
        processes = await in_thread(self._threads, processes_of, families, starts, ages, gateways)
        fitting = frozenset(identity(labels) for labels, _ in up)
        rollouts, where = frozenset(map(_key, wanted)), frozenset(gateways.values())
        return CounterSnapshot(now, moment, processes, rollouts, where, fitting=fitting, down=down(up))

    async def variant_metrics(self, interests: Iterable[Interest]) -> Mapping[Key, FiveMetrics] | Unseen:
        """The last observed metrics of every variant of these rollouts, by namespace and variant."""
        if not (quick := self._quick(interests)):
            return Unseen("all namespaces are read alone")
        queries = promql.variant_metric_queries(quick, self.gateways)
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

    async def strangers(self, interests: Iterable[Interest]) -> tuple[str, ...]:
        """Processes that are no gateway and show what only gateways count, by namespace and name; some of them."""
        if not (quick := self._quick(interests)):
            return ()
        answer = await self.query(promql.stranger_query(quick, self.gateways))
        if isinstance(answer, Unseen):
            return ()
        return tuple("/".join(filter(None, identity(labels))) for labels, _ in answer)

    def _quick(self, interests: Iterable[Interest]) -> list[Interest]:
        """Those that hold up no others."""
        apart = self._apart.namespaces()
        return [one for one in interests if one.namespace not in apart]

    async def _moment(self) -> float | Unseen:
        """The moment to ask for, by Prometheus' clock: by another one, old counters could be taken for new ones."""
        answer = await self.query("vector(time())")
        if isinstance(answer, Unseen):
            return answer
        if not answer or not 0 <= answer[0][1] <= LARGEST:
            return Unseen(f"the answer of {self.url} is not Prometheus': no time")
        return answer[0][1] - LAG_SECONDS

    async def query(
        self, query: str, moment: float | None = None, allowance: ByteAllowance | None = None, *, alone: bool = False
    ) -> list[Series] | Unseen:
        """One instant query; without a moment, for now. It shares `allowance` with what is held beside it, and its
        threads with what is read `alone`, or with all else."""
        at = None if moment is None else {"time": f"{moment:.3f}"}
        threads = self._threads_alone if alone else self._threads
        try:
            async with asyncio.timeout(self._whole_seconds):
                asked = asyncio.get_running_loop().run_in_executor
                return await asked(threads, self._ask, query, at, allowance or ByteAllowance(self.most_bytes))
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
            return TooMuch(f"Prometheus refuses: {printable(str(error)[:300])}")
        except (KeyError, TypeError, ValueError, IndexError, RecursionError) as error:
            words = f"{type(error).__name__} {error}"[:300]
            return Unseen(f"the answer of {self.url} is not Prometheus': {printable(words)}")

    def _ask(self, query: str, at: Mapping[str, str] | None, allowance: ByteAllowance) -> list[Series]:
        with self._adapter.within(allowance):
            answer = self._client.custom_query(query, at)
        return [_read(entry) for entry in answer]


def _read(entry: Any) -> Series:
    """One series of an answer. Raises KeyError, TypeError, ValueError or IndexError where it is none."""
    labels, value = entry["metric"], entry["value"][1]
    if not isinstance(labels, dict) or not all(isinstance(text, str) for text in (value, *labels.values())):
        raise TypeError("labels and values must be text")
    "".join((*labels, *labels.values())).encode()  # a half of a character is none, and cannot be stored
    return labels, float(value)


def _key(one: Interest) -> tuple[str, frozenset[str]]:
    return one.namespace, one.variants


def _reason(error: Exception) -> str:
    inner = getattr(error.args[0], "reason", None) if error.args else None
    return str(inner or error)[-200:]

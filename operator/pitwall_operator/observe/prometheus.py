"""Reads counters from a Prometheus server.

What cannot be read is told apart by its cause: Prometheus is down, it refuses, its answer makes no sense, there is no
data, too much data, or the data is stale.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
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
from pitwall_operator.observe.countable import LARGEST
from pitwall_operator.observe.exchange import AnswersTooLongError, BoundedAdapter, ByteAllowance
from pitwall_operator.observe.gateways import GATEWAYS, targets_of
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
                whole = replace(
                    whole, processes={**whole.processes, **part.processes}, gateways=whole.gateways | part.gateways
                )
        return whole

    async def _snapshot(self, wanted: Sequence[Interest], moment: float, most_bytes: int) -> CounterSnapshot | Unseen:
        now, allowance = self.clock() - LAG_SECONDS, ByteAllowance(most_bytes)
        queries = (
            promql.gateway_query(wanted, self.gateways),
            promql.source_query(wanted, self.gateways),
            promql.age_query(wanted, self.gateways),
            *promql.counter_queries(wanted, self.gateways),
        )
        answers = await asyncio.gather(*(self.query(query, moment, allowance) for query in queries))
        failed = [answer for answer in answers if isinstance(answer, Unseen)]
        if failed:
            return next((answer for answer in failed if isinstance(answer, TooMuch)), failed[0])
        up, starts, ages, *families = (answer for answer in answers if not isinstance(answer, Unseen))
        gateways = targets_of(up)
        # In a thread: many series take seconds, in which the lease must be renewed.
        in_thread = asyncio.get_running_loop().run_in_executor
        processes = await in_thread(self._threads, processes_of, families, starts, ages, gateways)
        return CounterSnapshot(now, moment, processes, frozenset(map(_key, wanted)), frozenset(gateways.values()))

    async def variant_metrics(self, interests: Iterable[Interest]) -> Mapping[Key, FiveMetrics] | Unseen:
        """The last observed metrics of every variant of these rollouts, by namespace and variant."""
        queries = promql.variant_metric_queries(interests, self.gateways)
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
        answer = await self.query(promql.stranger_query(interests, self.gateways))
        if isinstance(answer, Unseen):
            return ()
        return tuple("/".join(filter(None, identity(labels))) for labels, _ in answer)

    async def _moment(self) -> float | Unseen:
        """The moment to ask for, by Prometheus' clock: by another one, old counters could be taken for new ones."""
        answer = await self.query("vector(time())")
        if isinstance(answer, Unseen):
            return answer
        if not answer or not 0 <= answer[0][1] <= LARGEST:
            return Unseen(f"the answer of {self.url} is not Prometheus': no time")
        return answer[0][1] - LAG_SECONDS

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

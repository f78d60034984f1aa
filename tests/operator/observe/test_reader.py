"""The reader: asked by whoever moves, never older than it says, quiet about what did not change."""

import asyncio
import logging
from pathlib import Path

import pytest

from pitwall_crds.names import Label
from pitwall_crds.reading.load import load_file
from pitwall_crds.rollout.rollout import Rollout
from pitwall_crds.variant.variant import FiveMetrics
from pitwall_operator.observe.reader import NO_PROMETHEUS, VARIANT_METRICS_SECONDS, Reader
from pitwall_operator.observe.snapshot import CounterSnapshot, ScrapedProcess
from pitwall_operator.values.observation import Reading, Unseen

EXAMPLES = Path(__file__).parents[3] / "examples"
KEY = ("shop", "sampler")


def rollout(candidate: str = "aks-v1", name: str = "sampler") -> Rollout:
    found = next(one for one in load_file(EXAMPLES / "rollout-aks.yaml") if isinstance(one, Rollout))
    status = found.status.model_copy(update={"stable_variant": "uniform-v1", "candidate_variant": candidate})
    metadata = found.metadata.model_copy(update={"namespace": "shop", "name": name})
    return found.model_copy(update={"status": status, "metadata": metadata})


class Scripted:
    """A Prometheus that answers as told, and remembers for whom."""

    def __init__(self) -> None:
        self.now, self.asked, self.down, self.scraped = 100.0, [], "", 100.0
        self.five_asked, self.strange = 0, ()
        self.began = 1.0

    async def read(self, interests):
        self.asked.append(tuple(interests))
        if self.down:
            return Unseen(self.down)
        labels = {Label.SAMPLER_VARIANT: "aks-v1"}
        process = ScrapedProcess(
            self.began, self.scraped, {"pitwall_queries_total": {frozenset(labels.items()): (labels, 3.0)}}
        )
        wanted = frozenset((one.namespace, one.variants) for one in interests)
        return CounterSnapshot(1_800_000_000.0, self.now, {("shop", "gateway"): process}, wanted, frozenset({"shop"}))

    async def strangers(self, interests):
        return self.strange

    async def variant_metrics(self, interests):
        self.five_asked += 1
        return {("shop", "aks-v1"): FiveMetrics(latency_p50="1ms"), ("", "dpp-v1"): FiveMetrics(latency_p50="2ms")}


@pytest.fixture
def prometheus() -> Scripted:
    return Scripted()


@pytest.fixture
def reader(prometheus) -> Reader:
    return Reader(prometheus, every_seconds=0.0, stale_seconds=60.0, clock=lambda: prometheus.now)


async def read_once(reader: Reader) -> None:
    await reader._read(reader.prometheus)


def test_without_a_prometheus_that_is_what_is_said():
    assert Reader(None).reading(rollout()) is NO_PROMETHEUS


def test_a_rollout_that_rests_is_not_measured_and_not_asked_for(reader):
    reader.reading(rollout())
    seen = reader.reading(rollout(candidate=""))

    assert seen == Unseen("nothing is measured while no candidate moves")
    assert reader._interests == {}


async def test_the_first_look_asks_and_the_second_sees(reader):
    assert reader.reading(rollout()) == Unseen("the first reading is on its way")
    await read_once(reader)
    assert isinstance(reader.reading(rollout()), Reading)


async def test_a_rollout_that_just_began_waits_for_a_reading_of_its_own(reader):
    reader.reading(rollout())
    await read_once(reader)

    assert reader.reading(rollout(candidate="dpp-v1")) == Unseen("the first reading of these variants is on its way")


async def test_a_reading_grows_stale_when_prometheus_is_read_no_more(reader, prometheus):
    reader.reading(rollout())
    await read_once(reader)
    prometheus.now += 61

    assert reader.reading(rollout()) == Unseen("stale: Prometheus was last read 61 s ago")


async def test_a_reading_of_old_samples_is_stale_although_it_is_new(reader, prometheus):
    prometheus.now += 61
    reader.reading(rollout())
    await read_once(reader)

    assert "stale: the newest sample is 61 s old, more than 60 s" in reader.reading(rollout()).reason


async def test_who_sees_nothing_is_told_what_to_check(reader):
    reader.reading(rollout(candidate="topk-v1"))
    reader.reading(rollout(candidate="topk-v1").model_copy(update={"status": rollout("topk-v1").status}))
    await read_once(reader)

    words = reader.reading(rollout(candidate="topk-v1")).reason
    assert words.startswith("no data: Prometheus has no series of topk-v1 or uniform-v1 in namespace 'shop'")


async def test_where_relabeling_drops_when_gateways_began_that_is_said(reader, prometheus):
    prometheus.began = 0.0
    reader.reading(rollout())
    await read_once(reader)

    words = reader.reading(rollout()).reason
    assert words.startswith("no start: Prometheus has no process_start_time_seconds of shop/gateway, which tells")


async def test_a_prometheus_that_is_down_is_said_once_and_its_return_too(reader, prometheus, caplog):
    caplog.set_level(logging.INFO)
    reader.reading(rollout())
    await read_once(reader)
    prometheus.down = "Prometheus is down: somewhere"
    for _ in range(3):
        await read_once(reader)
    assert reader.reading(rollout()) == Unseen("Prometheus is down: somewhere")
    prometheus.down = ""
    await read_once(reader)

    assert caplog.messages == [
        "Prometheus is read: 1 processes", "Prometheus is down: somewhere", "Prometheus is read: 1 processes",
    ]  # fmt: skip


async def test_who_forgets_or_is_overtaken_asks_for_nothing(reader):
    reader.reading(rollout(name="a"))
    reader.reading(rollout(name="b"))
    reader.forget(("shop", "a"))
    reader.forget(("shop", "never-was"))
    await read_once(reader)
    assert set(reader._interests) == {("shop", "b")}
    reader.clear()

    assert reader._interests == {}
    assert reader.reading(rollout()) == Unseen("the first reading is on its way")


async def test_the_five_metrics_are_read_seldom_and_forgotten_when_old(reader, prometheus):
    reader.reading(rollout())
    assert reader.variant_metrics(("shop", "aks-v1")) is None
    for _ in range(5):
        await read_once(reader)
    assert prometheus.five_asked == 1
    assert reader.variant_metrics(("shop", "aks-v1")).latency_p50 == "1ms"
    assert reader.variant_metrics(("shop", "dpp-v1")).latency_p50 == "2ms", (
        "targets without a namespace are everybody's"
    )
    assert reader.variant_metrics(("shop", "topk-v1")) is None
    prometheus.now += 2 * VARIANT_METRICS_SECONDS + 1

    assert reader.variant_metrics(("shop", "aks-v1")) is None


async def test_who_is_no_gateway_is_named_once(reader, prometheus, caplog):
    prometheus.strange = ("shop/odd/10.0.0.9:80",)
    reader.reading(rollout())
    for _ in range(3):
        await read_once(reader)
        prometheus.now += VARIANT_METRICS_SECONDS

    assert [words for words in caplog.messages if "is no gateway" in words] == [
        "shop/odd/10.0.0.9:80 is no gateway by its labels, yet shows what only gateways count: it is not believed; "
        "look what that pod is, or at prometheus.gateways if it is one"
    ]


async def test_nothing_is_read_while_nobody_asks(reader, prometheus):
    stopped = asyncio.Event()
    reading = asyncio.create_task(reader.keep_reading(stopped))
    await asyncio.sleep(0)
    assert prometheus.asked == []
    reader.reading(rollout())
    async with asyncio.timeout(60):
        while not prometheus.asked:  # noqa: ASYNC110 – the claim is about the server
            await asyncio.sleep(0.01)
        stopped.set()
        await reading

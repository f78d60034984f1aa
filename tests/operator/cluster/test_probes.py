"""What kubelet and Prometheus are answered."""

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from pitwall_crds.host.sockets import free_port
from pitwall_crds.names import Metric
from pitwall_operator.cluster import probes
from pitwall_operator.cluster.metrics import OperatorMetrics


class Trouble:
    def __init__(self) -> None:
        self.unhealthy, self.not_ready, self.note = "", "", ""


@pytest.fixture
def trouble() -> Trouble:
    return Trouble()


@pytest.fixture
def metrics() -> OperatorMetrics:
    return OperatorMetrics()


@pytest.fixture
async def ask(trouble, metrics):
    """Status and text of a path."""
    port = free_port()
    server = probes.serve(
        port, metrics.registry, healthy=lambda: trouble.unhealthy, ready=lambda: trouble.not_ready,
        note=lambda: trouble.note,
    )  # fmt: skip
    async with aiohttp.ClientSession() as session:

        async def get(path: str) -> tuple[int, str]:
            async with session.get(f"http://127.0.0.1:{port}{path}") as answer:
                return answer.status, await answer.text()

        yield get
    await server.end()


async def test_good_is_ok_and_trouble_is_503_with_its_words(ask, trouble):
    assert await ask("/healthz") == await ask("/readyz") == (200, "ok")
    trouble.unhealthy, trouble.not_ready = "the watch ended", "the watches are being opened"

    assert await ask("/healthz") == (503, "the watch ended")
    assert await ask("/readyz") == (503, "the watches are being opened")
    assert (await ask("/other"))[0] == 404


async def test_who_is_ready_and_kept_out_of_something_says_so(ask, trouble, metrics):
    trouble.note = "operator b has the whole cluster"
    metrics.held_back({"": "b", "shop": "c", "search": "c"})
    text = (await ask("/metrics"))[1]

    assert await ask("/readyz") == (200, "ok; operator b has the whole cluster")
    assert await ask("/healthz") == (200, "ok")
    assert 'pitwall_operator_held_back{scope="cluster"} 1.0' in text
    assert 'pitwall_operator_held_back{scope="namespace"} 2.0' in text


async def test_an_address_or_header_without_end_is_refused(ask):
    assert (await ask("/healthz?" + "x" * 65_500))[0] == 431


async def test_calls_turns_and_leadership_are_told(ask, metrics):
    metrics.count("patch", "rollouts")
    metrics.count("patch", "rollouts")
    metrics.turn(0.02, "done")
    metrics.waiting(3)
    metrics.leads(True)
    text = (await ask("/metrics"))[1]

    assert 'pitwall_operator_api_calls_total{resource="rollouts",verb="patch"} 2.0' in text
    assert 'pitwall_operator_turn_seconds_count{outcome="done"} 1.0' in text
    assert "pitwall_operator_queue_length 3.0" in text
    assert "pitwall_operator_leader 1.0" in text


def gauges(metrics: OperatorMetrics, name: str) -> dict[tuple[str, ...], float]:
    from prometheus_client import generate_latest

    families = text_string_to_metric_families(generate_latest(metrics.registry).decode())
    return {
        tuple(value for _, value in sorted(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
        if sample.name == name
    }


def test_only_what_is_true_of_a_rollout_is_shown_and_nothing_once_it_is_gone(metrics, world):
    world.to_canary()
    metrics.statuses.show(world.rollout, world.status)
    assert gauges(metrics, Metric.ROLLOUT_PHASE) == {("Canary", "sampler", "default"): 1}
    assert len(gauges(metrics, Metric.ROLLOUT_VERDICT)) == 1
    conditions = gauges(metrics, Metric.ROLLOUT_CONDITION)
    assert (conditions[("Applied", "sampler", "default")], conditions[("Stalled", "sampler", "default")]) == (1, 0)
    assert gauges(metrics, Metric.GATE_LOG_E).keys() == gauges(metrics, Metric.GATE_THRESHOLD).keys() != set()
    metrics.statuses.forget(("default", "sampler"))
    metrics.statuses.forget(("default", "never-was"))

    assert gauges(metrics, Metric.ROLLOUT_PHASE) == gauges(metrics, Metric.GATE_LOG_E) == {}


def test_a_replica_that_leads_no_more_tells_of_no_rollout(metrics, world):
    metrics.statuses.show(world.rollout, world.status)
    metrics.leads(True)
    assert gauges(metrics, Metric.ROLLOUT_VERDICT)
    metrics.leads(False)

    assert gauges(metrics, Metric.ROLLOUT_VERDICT) == {}


def test_the_evidence_of_a_run_that_is_over_is_shown_no_more(metrics, world):
    world.to_canary()
    over = world.status.model_copy(update={"candidate_variant": ""})
    metrics.statuses.show(world.rollout, over)

    assert gauges(metrics, Metric.GATE_LOG_E) == {}


def test_two_rollouts_of_one_name_in_two_namespaces_are_two(metrics, world):
    metrics.statuses.show(world.rollout, world.status)
    metadata = world.rollout.metadata.model_copy(update={"namespace": "shop"})
    metrics.statuses.show(world.rollout.model_copy(update={"metadata": metadata}), world.status)

    assert {key[-1] for key in gauges(metrics, Metric.ROLLOUT_PHASE)} == {"default", "shop"}

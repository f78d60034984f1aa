"""The embedded operator's own gauges say what the last status says, and nothing that is over."""

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from pitwall_crds.host.sockets import free_port
from pitwall_crds.names import Metric
from pitwall_operator.machine.metrics import EmbeddedMetrics


@pytest.fixture
def exported():
    port = free_port()
    made = EmbeddedMetrics.listening(port)
    yield made, f"http://127.0.0.1:{port}/metrics"
    made.close()


def scraped(url: str, name: str) -> dict[tuple[str, ...], float]:
    families = text_string_to_metric_families(httpx.get(url, trust_env=False).text)
    return {
        tuple(value for _, value in sorted(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
        if sample.name == name
    }


def test_the_gauges_follow_the_status(exported, world):
    metrics, url = exported
    metrics.show(world.rollout, world.status)
    assert scraped(url, Metric.ROLLOUT_WEIGHT) == {("stable", "sampler", "default", "uniform-v1"): 10_000}
    world.to_canary().until(lambda w: len(w.status.weights) > 1, world.good_block)
    metrics.show(world.rollout, world.status)

    weights = scraped(url, Metric.ROLLOUT_WEIGHT)
    assert weights == {
        (one.arm, "sampler", "default", one.variant): one.weight_basis_points for one in world.status.weights
    }
    phases = scraped(url, Metric.ROLLOUT_PHASE)
    assert [key[0] for key, value in phases.items() if value] == ["Canary"]
    told = scraped(url, Metric.ROLLOUT_CONDITION)
    assert (told[("Applied", "sampler", "default")], told[("Killed", "sampler", "default")]) == (1, 0)
    assert len(scraped(url, Metric.GATE_LOG_E)) == len(scraped(url, Metric.GATE_THRESHOLD)) > 0


def test_what_is_over_is_shown_no_more(exported, world):
    metrics, url = exported
    world.to_canary()
    metrics.show(world.rollout, world.status)
    metrics.show(world.rollout, world.status.model_copy(update={"weights": (), "gates": ()}))

    assert scraped(url, Metric.ROLLOUT_WEIGHT) == scraped(url, Metric.GATE_LOG_E) == {}


def test_a_port_that_is_taken_is_an_error_of_the_system(exported):
    _, url = exported

    with pytest.raises(OSError, match=r"[Aa]ddress already in use"):
        EmbeddedMetrics.listening(int(url.split(":")[2].partition("/")[0]))


def test_headers_without_end_are_refused(exported):
    _, url = exported

    assert httpx.get(url, headers={"x": "x" * 70_000}, trust_env=False).status_code == 431


@pytest.mark.parametrize("headers", [{"host": "evil.example"}, {"origin": "http://evil.example"}])
def test_pages_of_other_sites_read_no_gauges(exported, headers):
    _, url = exported

    assert httpx.get(url, headers=headers, trust_env=False).status_code == 403
    assert httpx.get(url.replace("127.0.0.1", "localhost"), trust_env=False).status_code == 200

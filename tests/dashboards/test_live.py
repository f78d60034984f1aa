"""Every panel's queries, run by a real Prometheus over a real process's metrics, return data."""

from typing import Any

import httpx
import pytest

from pitwall_crds.metrics import SERIES, MetricType
from pitwall_dashboards.screen import dashboard

pytestmark = pytest.mark.slow

DATA_SECONDS = 120.0
CHOSEN = {"$__rate_interval": "5s", "$namespace": ".*", "$rollout": ".*", "$sampler_variant": ".*"}
"""What Grafana puts in for the variables when All is chosen."""

TARGETS = [(panel["title"], target) for panel in dashboard()["panels"] for target in panel["targets"]]


def chosen(expression: str) -> str:
    for variable, value in CHOSEN.items():
        expression = expression.replace(variable, value)
    return expression


def answer(url: str, expression: str) -> list[dict[str, Any]]:
    response = httpx.get(f"{url}/api/v1/query", params={"query": expression}, timeout=10)
    body = response.json()
    assert body["status"] == "success", body
    result: list[dict[str, Any]] = body["data"]["result"]
    return result


def numbers(url: str, expression: str) -> list[float]:
    """The values that are numbers; a quantile of nothing is NaN."""
    values = [float(series["value"][1]) for series in answer(url, expression)]
    return [value for value in values if value == value]


@pytest.mark.parametrize(("title", "target"), TARGETS, ids=[f"{title}-{target['refId']}" for title, target in TARGETS])
def test_a_query_returns_data(title: str, target: dict[str, Any], prometheus_url: str, eventually):
    expression = chosen(target["expr"])

    assert "$" not in expression
    eventually(lambda: numbers(prometheus_url, expression), seconds=DATA_SECONDS, what=title)


def test_shares_stay_between_0_and_1(prometheus_url: str, eventually):
    shares = [target["expr"] for title, target in TARGETS if "bad share" in title or "hit rate" in title]

    for expression in map(chosen, shares):
        found = eventually(
            lambda expression=expression: numbers(prometheus_url, expression), seconds=DATA_SECONDS, what="share"
        )
        assert all(0 <= value <= 1 for value in found)


def test_the_process_exports_what_the_names_promise(prometheus_url: str, eventually):
    """Labels of the scraped series are those of the shared table."""
    for metric, series in SERIES.items():
        name = f"{metric}_count" if series.type is MetricType.HISTOGRAM else metric
        [found, *_] = eventually(lambda name=name: answer(prometheus_url, name), seconds=DATA_SECONDS, what=name)
        labels = set(found["metric"]) - {"__name__", "instance", "job"}
        assert labels == set(series.labels), metric

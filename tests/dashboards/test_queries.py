"""Every expression of the dashboard and the rules speaks of metrics and labels that exist."""

import json
import re
from collections.abc import Iterator

import pytest

from pitwall_crds.metrics import SERIES, MetricType
from pitwall_crds.names import Metric
from pitwall_dashboards.promql import NAMESPACE
from pitwall_dashboards.rules import ALERTS, RECORDED
from pitwall_dashboards.screen import dashboard

SUFFIXES = {"_bucket", "_sum", "_count"}
OTHERS = {"up"}
"""Metrics of Prometheus itself."""


def panel_expressions() -> Iterator[tuple[str, str]]:
    for panel in dashboard()["panels"]:
        for target in panel["targets"]:
            yield f"{panel['title']}-{target['refId']}", target["expr"]


EXPRESSIONS = {
    **dict(panel_expressions()),
    **RECORDED,
    **{alert.name: alert.expression for alert in ALERTS},
    "annotation": dashboard()["annotations"]["list"][0]["expr"],
}


def metric_of(name: str) -> tuple[Metric, str]:
    """The metric behind a series name, and the histogram suffix."""
    for suffix in SUFFIXES:
        if name.endswith(suffix) and name.removesuffix(suffix) in set(Metric):
            return Metric(name.removesuffix(suffix)), suffix
    return Metric(name), ""


def carried(name: str) -> set[str]:
    """Labels that a series of this name carries when Prometheus has scraped it."""
    metric, suffix = metric_of(name)
    return {*SERIES[metric].labels, NAMESPACE, "instance", "job"} | ({"le"} if suffix == "_bucket" else set())


def selectors(expression: str) -> Iterator[tuple[str, str, str]]:
    """Name, matchers and the text before, of each series that an expression reads."""
    for found in re.finditer(r"\b(pitwall_\w+)(?:\{([^}]*)\})?", expression):
        yield found[1], found[2] or "", expression[: found.start()]


def test_every_metric_has_a_type_labels_and_a_meaning():
    assert SERIES.keys() == set(Metric)
    assert all(series.about.endswith(".") for series in SERIES.values())


@pytest.mark.parametrize("expression", EXPRESSIONS.values(), ids=EXPRESSIONS.keys())
def test_metrics_exist_and_are_read_as_what_they_are(expression: str):
    found = list(selectors(expression))

    assert found or any(re.search(rf"\b{other}\b", expression) for other in OTHERS)
    for name, _, before in found:
        metric, suffix = metric_of(name)
        kind = SERIES[metric].type
        assert bool(suffix) == (kind is MetricType.HISTOGRAM), f"{name} is a {kind}"
        assert before.endswith("rate(") == (kind is not MetricType.GAUGE), f"{name} is a {kind}"


@pytest.mark.parametrize("expression", EXPRESSIONS.values(), ids=EXPRESSIONS.keys())
def test_matchers_name_labels_that_the_metric_carries(expression: str):
    for name, matchers, _ in selectors(expression):
        labels = set(re.findall(r"(\w+)=", matchers))
        assert labels <= carried(name), f"{name} has no {labels - carried(name)}"


@pytest.mark.parametrize("expression", EXPRESSIONS.values(), ids=EXPRESSIONS.keys())
def test_groupings_name_labels_that_the_metric_carries(expression: str):
    for found in re.finditer(r"\bby \(([^)]*)\) \(", expression):
        name = next(selectors(expression[found.end() :]))[0]
        labels = set(found[1].split(", "))
        assert labels <= carried(name), f"{name} has no {labels - carried(name)}"


def test_legends_name_labels_that_survive_the_query():
    for panel in dashboard()["panels"]:
        for target in panel["targets"]:
            kept = set(re.split(r", ", ", ".join(re.findall(r"\bby \(([^)]*)\)", target["expr"]))))
            assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= kept, target


def test_the_five_metrics_and_the_proxies_are_all_on_the_screen():
    text = json.dumps(dashboard()["panels"])
    wanted = {
        Metric.TOKENS_PER_QUERY, Metric.QUERY_LATENCY, Metric.FRAME_SELECTION, Metric.ENCODER_UTILIZATION,
        Metric.CACHE_LOOKUPS, Metric.QUALITY, Metric.ROLLOUT_WEIGHT, Metric.ROLLOUT_VERDICT, Metric.GATE_LOG_E,
        Metric.GATE_THRESHOLD, Metric.FALLBACKS, Metric.SHADOW_PAIRS,
    }  # fmt: skip

    assert [metric for metric in wanted if metric not in text] == []

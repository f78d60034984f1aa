"""The page on observability tells what the code does."""

from pathlib import Path

import pytest

from pitwall_crds.metrics import SERIES
from pitwall_dashboards.rules import ALERTS, RECORDED

PAGE = (Path(__file__).parents[2] / "docs" / "observability.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("metric", SERIES)
def test_every_metric_is_documented_as_it_is(metric):
    series = SERIES[metric]
    labels = ", ".join(f"`{label}`" for label in series.labels) or "–"

    assert f"| `{metric}` | {series.type} | {labels} | {series.about} |" in PAGE


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_every_alert_is_documented(alert):
    assert f"| `{alert.name}` |" in PAGE


def test_every_kind_of_recorded_value_is_documented():
    assert [name for name in RECORDED if name.rsplit(":", 1)[1] not in PAGE] == []

"""Lays the panels out on one screen, as Grafana's dashboard JSON."""

from dataclasses import dataclass
from typing import Any, Final

from pitwall_crds.names import Label, Metric
from pitwall_dashboards import chassis, decisions
from pitwall_dashboards.panel import DATASOURCE, GridPosition, Json, Panel, grafana
from pitwall_dashboards.promql import NAMESPACE

COLUMNS: Final = 24
MAXIMUM_ROWS: Final = 22
"""22 rows of 38 pixels are 836; with a browser's bars (about 130) and Grafana's (about 100) they fit into 1080."""

SCHEMA_VERSION: Final = 41
"""Grafana 12's; older versions from 10 on read it too, newer ones migrate it."""


@dataclass(frozen=True, slots=True)
class PanelRow:
    """Panels side by side, equally high."""

    height: int
    panels: tuple[Panel, ...]


ROWS: Final = (
    PanelRow(
        3,
        (
            decisions.VERDICT,
            decisions.PHASE,
            decisions.WEIGHT,
            decisions.STRONGEST_HARM,
            decisions.FALLEN_BACK,
            decisions.FLAGS_STALE,
            decisions.DOWN,
        ),
    ),
    PanelRow(6, (chassis.LATENCY, chassis.SELECTION, chassis.TOKENS, chassis.CACHE, chassis.ENCODER)),
    PanelRow(7, (decisions.SPLIT, decisions.EVIDENCE, decisions.QUALITY)),
    PanelRow(6, (chassis.NOW, decisions.GATES, decisions.FALLBACKS, decisions.SHADOW)),
)


def dashboard() -> Json:
    """The dashboard, as Grafana exports one for other installations: the data source is asked for on import."""
    return {
        "__inputs": [
            {
                "name": "DS_PROMETHEUS",
                "label": "Prometheus",
                "description": "The server that scrapes Pitwall.",
                "type": "datasource",
                "pluginId": "prometheus",
                "pluginName": "Prometheus",
            }
        ],
        "__requires": _requirements(),
        "uid": "pitwall",
        "title": "Pitwall",
        "description": "Five metrics of every frame sampler, the split, and the evidence that moves it.",
        "tags": ["pitwall"],
        "schemaVersion": SCHEMA_VERSION,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "10s",
        "time": {"from": "now-30m", "to": "now"},
        "timepicker": {},
        "timezone": "browser",
        "links": [],
        "annotations": {"list": [_annotation()]},
        "templating": {"list": _variables()},
        "panels": [grafana(panel, number, position) for number, (panel, position) in enumerate(placed(), start=1)],
    }


def placed() -> tuple[tuple[Panel, GridPosition], ...]:
    """Every panel with its position, row by row."""
    places, y = [], 0
    for row in ROWS:
        x = 0
        for panel in row.panels:
            places.append((panel, GridPosition(x, y, panel.width, row.height)))
            x += panel.width
        y += row.height
    return tuple(places)


def _requirements() -> list[Json]:
    types = sorted({panel.type.value for row in ROWS for panel in row.panels})
    panels = [{"type": "panel", "id": name, "name": name.capitalize(), "version": ""} for name in types]
    return [
        {"type": "grafana", "id": "grafana", "name": "Grafana", "version": "10.4.0"},
        {"type": "datasource", "id": "prometheus", "name": "Prometheus", "version": "1.0.0"},
        *panels,
    ]


def _annotation() -> Json:
    """Marks the times of proven harm in every graph."""
    return {
        "name": "Harmful",
        "datasource": DATASOURCE,
        "enable": True,
        "iconColor": "red",
        "expr": f'{Metric.ROLLOUT_VERDICT}{{{Label.ROLLOUT}=~"$rollout",{Label.VERDICT}="Harmful"}} == 1',
        "titleFormat": f"{{{{{Label.ROLLOUT}}}}}: harm is proven",
        "step": "10s",
    }


def _variables() -> list[Json]:
    source: Json = {
        "name": "datasource",
        "label": "Prometheus",
        "type": "datasource",
        "query": "prometheus",
        "current": {"text": "${DS_PROMETHEUS}", "value": "${DS_PROMETHEUS}"},
        "options": [],
        "hide": 0,
        "includeAll": False,
        "multi": False,
        "refresh": 1,
        "regex": "",
    }
    return [
        source,
        _label_values(NAMESPACE, "Namespace", Metric.QUERIES, NAMESPACE),
        _label_values("rollout", "Rollout", Metric.ROLLOUT_VERDICT, Label.ROLLOUT),
        _label_values("sampler_variant", "Variant", Metric.QUERIES, Label.SAMPLER_VARIANT),
    ]


def _label_values(name: str, label: str, metric: Metric, values_of: str) -> Json:
    """A variable over a label's values. All matches series without the label too, such as without Kubernetes."""
    query = f"label_values({metric},{values_of})"
    chosen: dict[str, Any] = {"text": ["All"], "value": ["$__all"]}
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": DATASOURCE,
        "definition": query,
        "query": {"qryType": 1, "query": query, "refId": f"variable-{name}"},
        "current": chosen,
        "options": [],
        "hide": 0,
        "includeAll": True,
        "allValue": ".*",
        "multi": True,
        "refresh": 2,
        "regex": "",
        "sort": 1,
    }

"""Describes a panel and renders it as Grafana's JSON."""

import string
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

Json = dict[str, Any]

DATASOURCE: Final[Json] = {"type": "prometheus", "uid": "${datasource}"}


class PanelType(StrEnum):
    """Grafana's panel plugins that are used."""

    STAT = "stat"
    TIME_SERIES = "timeseries"
    TABLE = "table"


@dataclass(frozen=True, slots=True)
class Query:
    """One expression and how its series are called; in a table, the column's name."""

    expression: str
    legend: str = ""


@dataclass(frozen=True, slots=True)
class GridPosition:
    """Where a panel stands on the 24-column grid; one row is 30 pixels and a gap of 8."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel. `unit` is Grafana's name of it, `colours` maps patterns of series names to colours,
    `right_axis` is a pattern of those that have another scale."""

    type: PanelType
    title: str
    about: str
    width: int
    queries: tuple[Query, ...]
    unit: str = "none"
    decimals: int | None = None
    maximum: int | None = None
    stacked: bool = False
    threshold: str = ""
    names_only: bool = False
    right_axis: str = ""
    empty: str = "–"
    colours: dict[str, str] = field(default_factory=dict)
    columns: dict[str, str] = field(default_factory=dict)


def grafana(panel: Panel, number: int, position: GridPosition) -> Json:
    """The panel as Grafana stores it."""
    is_series = panel.type is PanelType.TIME_SERIES
    return {
        "id": number,
        "type": panel.type.value,
        "title": panel.title,
        "description": panel.about,
        "datasource": DATASOURCE,
        "gridPos": {"x": position.x, "y": position.y, "w": position.width, "h": position.height},
        "targets": [_target(panel, index, query) for index, query in enumerate(panel.queries)],
        "fieldConfig": {"defaults": _defaults(panel, drawn=is_series), "overrides": _overrides(panel)},
        "options": _options(panel),
        "transformations": _transformations(panel),
    }


def _target(panel: Panel, index: int, query: Query) -> Json:
    is_series = panel.type is PanelType.TIME_SERIES
    return {
        "refId": string.ascii_uppercase[index],
        "datasource": DATASOURCE,
        "expr": query.expression,
        "legendFormat": query.legend or "__auto",
        "format": "table" if panel.type is PanelType.TABLE else "time_series",
        "instant": not is_series,
        "range": is_series,
        "editorMode": "code",
    }


def _defaults(panel: Panel, *, drawn: bool) -> Json:
    steps: list[Json] = [{"color": "green", "value": None}]
    if panel.threshold:
        steps.append({"color": "red", "value": float(panel.threshold)})
    defaults: Json = {
        "unit": panel.unit,
        "noValue": panel.empty,
        "color": {"mode": "palette-classic" if drawn else "thresholds"},
        "thresholds": {"mode": "absolute", "steps": steps},
        "custom": _drawing(panel) if drawn else {},
    }
    bounds = {"min": 0} | ({"max": panel.maximum} if panel.maximum is not None else {}) if drawn else {}
    return defaults | bounds | ({"decimals": panel.decimals} if panel.decimals is not None else {})


def _drawing(panel: Panel) -> Json:
    return {
        "drawStyle": "line",
        "lineInterpolation": "stepAfter" if panel.stacked else "linear",
        "lineWidth": 1,
        "fillOpacity": 40 if panel.stacked else 0,
        "showPoints": "never",
        "spanNulls": 60_000,
        "stacking": {"group": "A", "mode": "normal" if panel.stacked else "none"},
        "thresholdsStyle": {"mode": "dashed" if panel.threshold else "off"},
    }


def _overrides(panel: Panel) -> list[Json]:
    colours = [
        {
            "matcher": {"id": "byRegexp", "options": pattern},
            "properties": [{"id": "color", "value": {"mode": "fixed", "fixedColor": colour}}],
        }
        for pattern, colour in panel.colours.items()
    ]
    units = [
        {"matcher": {"id": "byName", "options": column}, "properties": [{"id": "unit", "value": unit}]}
        for column, unit in panel.columns.items()
    ]
    return colours + units + _right_axis(panel.right_axis)


def _right_axis(pattern: str) -> list[Json]:
    if not pattern:
        return []
    moved = {"id": "custom.axisPlacement", "value": "right"}
    return [{"matcher": {"id": "byRegexp", "options": pattern}, "properties": [moved]}]


def _options(panel: Panel) -> Json:
    match panel.type:
        case PanelType.STAT:
            return {
                "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
                "textMode": "name" if panel.names_only else "auto",
                "colorMode": "background" if panel.names_only else "value",
                "graphMode": "none",
                "justifyMode": "auto",
                "orientation": "auto",
            }
        case PanelType.TIME_SERIES:
            return {
                "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
                "tooltip": {"mode": "multi", "sort": "desc"},
            }
        case PanelType.TABLE:
            return {"showHeader": True, "cellHeight": "sm", "footer": {"show": False, "reducer": ["sum"]}}


def _transformations(panel: Panel) -> list[Json]:
    """Tables: one row per label set, one column per query under its legend."""
    if panel.type is not PanelType.TABLE:
        return []
    values = {f"Value #{string.ascii_uppercase[index]}": query.legend for index, query in enumerate(panel.queries)}
    renamed = values if len(panel.queries) > 1 else {"Value": panel.queries[0].legend}
    return [
        {"id": "merge", "options": {}},
        {"id": "organize", "options": {"excludeByName": {"Time": True}, "indexByName": {}, "renameByName": renamed}},
    ]

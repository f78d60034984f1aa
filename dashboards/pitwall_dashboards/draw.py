"""Draws the dashboard as a picture from a Prometheus server's data, for documents and for terminals.

`python -m pitwall_dashboards.draw URL --minutes 5 picture.png` draws what the panel queries return. It is not Grafana.
"""

import argparse
import math
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pitwall_dashboards.panel import Panel, PanelType, Query
from pitwall_dashboards.screen import COLUMNS, MAXIMUM_ROWS, placed

TIMEOUT_SECONDS: Final = 10.0
STEPS: Final = 120
FACTORS: Final = {"percentunit": (100.0, " %"), "percent": (1.0, " %"), "s": (1.0, " s")}
CAPTION: Final = (
    "What the dashboard's queries return, drawn by `python -m pitwall_dashboards.draw`; Grafana looks different."
)
PALETTE: Final = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#888888", "#000000")


@dataclass(frozen=True, slots=True)
class QueryServer:
    """A Prometheus server and the span of time, in Unix seconds, that is drawn."""

    url: str
    start: float
    end: float

    def series(self, expression: str) -> list[dict[str, Any]]:
        """Every series of an expression over the span. Raises httpx.HTTPError if the server does not answer."""
        step = max(1.0, (self.end - self.start) / STEPS)
        bounds = {"start": str(self.start), "end": str(self.end), "step": str(step)}
        filled = expression.replace("$__rate_interval", f"{max(10, math.ceil(4 * step))}s")
        for variable in ("$namespace", "$rollout", "$sampler_variant"):
            filled = filled.replace(variable, ".*")
        answer = httpx.get(
            f"{self.url}/api/v1/query_range", params={"query": filled, **bounds}, timeout=TIMEOUT_SECONDS
        )
        answer.raise_for_status()
        found: list[dict[str, Any]] = answer.json()["data"]["result"]
        return found


@dataclass(frozen=True, slots=True)
class Curve:
    """One series: minutes since the start, and values in the panel's unit."""

    name: str
    minutes: list[float]
    values: list[float]


def draw(source: QueryServer, path: Path) -> None:
    """Draws every panel where it stands on the screen."""
    figure = Figure(figsize=(19.2, 10.8), dpi=100, facecolor="white")
    for panel, position in placed():
        left, bottom = position.x / COLUMNS, 0.025 + 0.965 * (1 - (position.y + position.height) / MAXIMUM_ROWS)
        box = (0.035, 0.055, -0.045, -0.085) if panel.type is PanelType.TIME_SERIES else (0.008, 0.02, -0.016, -0.05)
        scale = 0.02 if panel.right_axis else 0.0  # room for the right axis's numbers
        size = (position.width / COLUMNS + box[2] - scale, position.height / MAXIMUM_ROWS * 0.965 + box[3])
        axes = figure.add_axes((left + box[0], bottom + box[1], *size))
        axes.set_title(panel.title, fontsize=9, loc="left", fontweight="bold")
        _fill(axes, panel, source)
    figure.text(0.5, 0.008, CAPTION, fontsize=8, ha="center", color="#555555")
    figure.savefig(path)


def _fill(axes: Axes, panel: Panel, source: QueryServer) -> None:
    match panel.type:
        case PanelType.STAT:
            _stat(axes, panel, source)
        case PanelType.TIME_SERIES:
            _lines(axes, panel, source)
        case PanelType.TABLE:
            _table(axes, panel, source)


def _stat(axes: Axes, panel: Panel, source: QueryServer) -> None:
    axes.axis("off")
    found = [(query, series) for query in panel.queries for series in _present(source, query)]
    if panel.names_only:
        text = "\n".join(_name(query, series) for query, series in found)
    else:
        text = ", ".join(_number(float(series["values"][-1][1]), panel.unit) for _, series in found)
    axes.text(0.5, 0.5, text or panel.empty, fontsize=15, ha="center", va="center")


def _lines(axes: Axes, panel: Panel, source: QueryServer) -> None:
    factor, sign = FACTORS.get(panel.unit, (1.0, ""))
    lines = [line for query in panel.queries for line in _drawn(source, query, factor)]
    if not lines:
        axes.axis("off")
        axes.text(0.5, 0.5, panel.empty, fontsize=15, ha="center", va="center")
        return
    if panel.stacked:
        _stack(axes, lines)
    else:
        _plot(axes, panel, lines)
    if panel.threshold:
        axes.axhline(float(panel.threshold), color="red", linestyle="--", linewidth=1)
    axes.set_ylim(bottom=0, top=panel.maximum and panel.maximum * (factor if panel.unit == "percentunit" else 1) * 1.02)
    axes.tick_params(labelsize=7)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}{sign}")
    axes.grid(color="#dddddd", linewidth=0.5)
    columns = 3 if panel.width > 6 else 2
    axes.legend(fontsize=6, loc="upper center", bbox_to_anchor=(0.5, -0.07), ncols=columns, frameon=False)


def _stack(axes: Axes, lines: list[Curve]) -> None:
    """Areas on top of each other; a series that is absent at a time counts as 0."""
    minutes = sorted({minute for line in lines for minute in line.minutes})
    known = [dict(zip(line.minutes, line.values, strict=True)) for line in lines]
    values = [[each.get(minute, 0.0) for minute in minutes] for each in known]
    colours = [PALETTE[index % len(PALETTE)] for index in range(len(lines))]
    axes.stackplot(minutes, values, labels=[line.name for line in lines], colors=colours, step="post", alpha=0.8)


def _plot(axes: Axes, panel: Panel, lines: list[Curve]) -> None:
    """Lines on the left axis, those of the panel's pattern on the right one; the legend holds both."""
    right = axes.twinx() if panel.right_axis else axes
    for index, line in enumerate(lines):
        moved = bool(panel.right_axis) and re.search(panel.right_axis.strip("/"), line.name) is not None
        style = "--" if moved or index >= len(PALETTE) else "-"
        colour = PALETTE[index % len(PALETTE)]
        (right if moved else axes).plot(line.minutes, line.values, style, color=colour, linewidth=1.1)
        axes.plot([], [], style, color=colour, label=line.name)
    if panel.right_axis:
        right.set_ylim(bottom=0)
        right.tick_params(labelsize=7)


def _drawn(source: QueryServer, query: Query, factor: float) -> list[Curve]:
    return [
        Curve(
            _name(query, series),
            [(float(at) - source.start) / 60 for at, _ in series["values"]],
            [factor * float(value) for _, value in series["values"]],
        )
        for series in source.series(query.expression)
    ]


def _table(axes: Axes, panel: Panel, source: QueryServer) -> None:
    axes.axis("off")
    rows: dict[tuple[str, ...], dict[str, str]] = {}
    for query in panel.queries:
        for series in _present(source, query):
            value = float(series["values"][-1][1])
            unit = panel.columns.get(query.legend, "none")
            rows.setdefault(tuple(series["metric"].values()), {})[query.legend] = _number(value, unit)
    names = [query.legend for query in panel.queries]
    cells = [[" ".join(key), *(row.get(name, "") for name in names)] for key, row in sorted(rows.items())]
    first = 0.46 if len(names) < 5 else 0.2
    widths = [first, *([(1 - first) / len(names)] * len(names))]
    table = axes.table(cells or [[""] * len(widths)], colLabels=["", *names], colWidths=widths, loc="upper center")
    table.auto_set_font_size(False)
    table.set_fontsize(8)
    table.scale(1, 1.15)


def _present(source: QueryServer, query: Query) -> list[dict[str, Any]]:
    """The series that still have a value at the end of the span."""
    latest = source.end - 2 * (source.end - source.start) / STEPS
    return [series for series in source.series(query.expression) if float(series["values"][-1][0]) >= latest]


def _name(query: Query, series: dict[str, Any]) -> str:
    name = query.legend
    for label, value in series["metric"].items():
        name = name.replace(f"{{{{{label}}}}}", value)
    return name


def _number(value: float, unit: str) -> str:
    if unit == "s" and 0 < value < 0.1:
        return f"{1000 * value:.2g} ms"
    factor, sign = FACTORS.get(unit, (1.0, ""))
    return f"{factor * value:.3g}{sign}" if abs(factor * value) < 1000 else f"{factor * value:.0f}{sign}"


def main() -> None:
    """Draws the dashboard's panels from a Prometheus server's data."""
    parser = argparse.ArgumentParser(prog="python -m pitwall_dashboards.draw", description=main.__doc__)
    parser.add_argument("url", help="the server, such as http://127.0.0.1:9090")
    parser.add_argument("picture", type=Path, help="the PNG file to write")
    parser.add_argument("--minutes", type=float, default=30, help="how far back to draw (default 30)")
    parser.add_argument("--until", type=float, default=time.time(), help="Unix seconds at which to end (default now)")
    options = parser.parse_args()
    source = QueryServer(options.url.rstrip("/"), options.until - 60 * options.minutes, options.until)
    try:
        draw(source, options.picture)
    except httpx.HTTPError as error:
        parser.exit(1, f"{options.url} gave no data ({error}); check that it is a Prometheus server and reachable\n")


if __name__ == "__main__":
    main()

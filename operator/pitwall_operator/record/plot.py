"""Plots a decision record: every gate's evidence over time, with thresholds and stages."""

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from pitwall_operator.record.lines import Line
from pitwall_operator.record.replay import Replayed, replay
from pitwall_operator.values import timestamps
from pitwall_operator.values.errors import UnreadableRecordError

COLORS = {
    "harm": "#c1443c",
    "paired-harm": "#e08a3c",
    "record-harm": "#8a5fa8",
    "objective-harm": "#d6689a",
    "burst": "#8c5b45",
    "non-inferiority": "#1f8a5f",
    "paired-non-inferiority": "#2fa6b8",
    "objective": "#1f5f8b",
    "in-time": "#b3a02c",
    "aa": "#7a7a7a",
}
"""The same process has the same color in every gate; what is only shown is dotted in the color of what acts."""
OTHER_COLOR = "#222222"
HIGHEST, LOWEST = 1.2, -1.0
"""Evidence beyond is drawn here: proven is proven."""
BAND_COLORS = ("#f2f2f2", "#ffffff")


def draw(lines: Iterable[Line], target: Path) -> None:
    """Write a record's last run as a PNG, SVG or PDF. Raises UnreadableRecordError where there is nothing to draw."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    blocks = list(replay(lines))
    if not blocks:
        raise UnreadableRecordError("the record holds no block yet; wait until a candidate has been measured")
    last = [block for block in blocks if block.run == blocks[-1].run]
    gates = sorted(last[-1].assessments)
    size = (12, 2.5 * len(gates) + 0.8)
    figure, axes = plt.subplots(len(gates), 1, figsize=size, sharex=True, squeeze=False, layout="constrained")
    unit, seconds_per_unit = _unit(last)
    start = timestamps.to_epoch(last[0].time)
    times = [(timestamps.to_epoch(block.time) - start) / seconds_per_unit for block in last]
    for axis, gate in zip(axes[:, 0], gates, strict=True):
        _bands(axis, last, times)
        _curves(axis, last, times, gate)
    axes[-1, 0].set_xlabel(f"{unit} since the first block")
    figure.suptitle(f"Run {last[-1].run}: log e as part of the way to proof (1 = proven; dotted: shown only)")
    figure.savefig(target, dpi=110)
    plt.close(figure)


def _unit(blocks: Sequence[Replayed]) -> tuple[str, int]:
    """In what a run of this length is told, and how many seconds that is."""
    seconds = timestamps.to_epoch(blocks[-1].time) - timestamps.to_epoch(blocks[0].time)
    return ("hours", 3600) if seconds > 4 * 3600 else ("minutes", 60) if seconds > 600 else ("seconds", 1)


def _bands(axis: Any, blocks: Sequence[Replayed], times: Sequence[float]) -> None:
    """One band per stage, with its name at the top; narrow neighbors' names stand one below the other."""
    edges = [i for i, block in enumerate(blocks) if i == 0 or blocks[i - 1].stage != block.stage]
    length = max(times[-1], 1e-9)
    height, before = 0, -length
    for number, (first, following) in enumerate(itertools.pairwise([*edges, len(blocks)])):
        left, right = times[first], times[min(following, len(blocks) - 1)]
        axis.axvspan(left, max(right, left + length / 500), color=BAND_COLORS[number % 2], zorder=0)
        height = (height + 1) % 3 if left - before < length / 12 else 0
        axis.text(left, 1.36 - 0.17 * height, f" {blocks[first].stage}", fontsize=8, color="#555555", va="center")
        before = left


def _curves(axis: Any, blocks: Sequence[Replayed], times: Sequence[float], gate: str) -> None:
    """Every process that ever moved, as long as it was looked at."""
    names = dict.fromkeys(
        reading.name for block in blocks if gate in block.assessments for reading in block.assessments[gate].readings
    )
    for name in names:
        points = list(_points(blocks, times, gate, name))
        if not any(abs(height) > 1e-9 for _, height, _ in points):
            continue
        style, width = ("-", 1.8) if points[-1][2] else (":", 1.2)
        axis.plot(
            [p[0] for p in points], [p[1] for p in points], style, color=_color(name), label=name, linewidth=width
        )
    axis.axhline(1.0, color="#222222", linewidth=0.8, linestyle="--")
    axis.set_ylim(LOWEST - 0.1, 1.5)
    axis.set_xlim(0, max(times[-1], 1e-9))
    known = [block.assessments[gate].verdict for block in blocks if gate in block.assessments]
    axis.set_title(f"{gate}: {known[-1]}", fontsize=10, loc="left")
    if axis.get_legend_handles_labels()[1]:
        axis.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1.005, 1.02), frameon=False)


def _points(
    blocks: Sequence[Replayed], times: Sequence[float], gate: str, name: str
) -> Iterator[tuple[float, float, bool]]:
    """Time, part of the way to proof, and whether it acts."""
    for moment, block in zip(times, blocks, strict=True):
        for reading in block.assessments[gate].readings if gate in block.assessments else ():
            if reading.name == name and not math.isnan(reading.log_e):
                height = max(LOWEST, min(HIGHEST, reading.log_e / reading.log_threshold))
                yield moment, height, reading.acting


def _color(name: str) -> str:
    family = name.removesuffix("-block").removesuffix("-query")
    return COLORS.get(family, OTHER_COLOR)

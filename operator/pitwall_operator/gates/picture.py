"""Retraced gates come in, a picture goes out: evidence over time, its thresholds, and the stages as bands."""

from collections.abc import Sequence
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

from pitwall_operator.gates.retrace import Retraced

LN_10 = 2.302585092994046
HIGHEST, LOWEST = 6.0, -3.0
"""Powers of ten beyond which a curve says nothing more."""
NOTHING = 1e-9
"""A process that never moved farther than this is not drawn."""
COLORS = {True: "#c1440e", False: "#0b6e4f"}
"""Harm, and non-inferiority."""
BANDS = ("#f3f5f4", "#e1e9e5")


def draw(retraced: Sequence[Retraced], path: Path) -> None:
    """Writes one panel per gate, blocks from left to right; the file's ending picks the format."""
    if not retraced:
        raise ValueError("the record holds no block yet, so there is nothing to draw; wait for the first block")
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    gates = list(dict.fromkeys(point.gate for point in retraced))
    figure, panels = plt.subplots(
        len(gates), 1, figsize=(9, 2.6 * len(gates)), squeeze=False, sharex=True, layout="constrained"
    )
    for axes, gate in zip(panels[:, 0], gates, strict=True):
        _panel(axes, gate, [point for point in retraced if point.gate == gate])
    panels[-1, 0].set_xlabel("block")
    figure.savefig(path, dpi=130)
    plt.close(figure)


def _panel(axes: Any, gate: str, points: Sequence[Retraced]) -> None:
    _bands(axes, points)
    for name in dict.fromkeys(reading.name for point in points for reading in point.again.readings):
        found = [(x, r) for x, point in enumerate(points) for r in point.again.readings if r.name == name]
        if all(abs(reading.log_e) < NOTHING for _, reading in found):
            continue
        style = "-" if found[-1][1].acting else ":"
        color = COLORS["non-inferiority" not in name]
        values = [min(max(reading.log_e / LN_10, LOWEST), HIGHEST) for _, reading in found]
        axes.plot([x for x, _ in found], values, style, color=color, lw=1.4, label=name)
        if found[-1][1].acting:
            axes.axhline(found[-1][1].log_threshold / LN_10, color=color, lw=0.7, ls="--")
    axes.set_ylabel("log₁₀ e")
    axes.set_title(f"{gate}: {points[-1].again.verdict}", fontsize=10, loc="left")
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=7, loc="center left", bbox_to_anchor=(1.0, 0.5))


def _bands(axes: Any, points: Sequence[Retraced]) -> None:
    """One shade per stage, with its name."""
    starts = [next(group)[0] for _, group in groupby(enumerate(points), lambda pair: pair[1].stage)]
    for number, (start, end) in enumerate(pairwise([*starts, len(points)])):
        axes.axvspan(start, end, color=BANDS[number % 2], lw=0)
        axes.annotate(points[start].stage, (start, 0.02), xycoords=("data", "axes fraction"), fontsize=7)

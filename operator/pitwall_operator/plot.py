"""A decision record in; a picture of the evidence over time, per gate, with thresholds and stage bands, out."""

import itertools
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pitwall_operator import moments
from pitwall_operator.record import Line
from pitwall_operator.replay import Replayed, UnreadableRecord, replay

COLORS = (
    "#1f5f8b", "#c1443c", "#3b8f5a", "#8a5fa8", "#b07d2b", "#5a5a5a",
    "#2fa6b8", "#d6689a", "#7f8f2a", "#8c5b45", "#e08a3c", "#4a4fb5",
)  # fmt: skip
"""As many as a gate has processes, so that no two share one."""
BAND_COLORS = ("#f2f2f2", "#ffffff")


def draw(lines: Iterable[Line], target: Path) -> None:
    """Write the picture of a record's last run as PNG, SVG or PDF. Raises UnreadableRecord where there is nothing."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    blocks = list(replay(lines))
    if not blocks:
        raise UnreadableRecord("the record holds no block yet; wait until a candidate has been measured")
    last = [block for block in blocks if block.run == blocks[-1].run]
    gates = sorted(last[-1].assessments)
    figure, axes = plt.subplots(len(gates), 1, figsize=(11, 2.4 * len(gates) + 0.8), sharex=True, squeeze=False)
    start = moments.to_epoch(last[0].time)
    seconds = [moments.to_epoch(block.time) - start for block in last]
    for axis, gate in zip(axes[:, 0], gates, strict=True):
        _bands(axis, last, seconds)
        _curves(axis, last, seconds, gate)
    axes[-1, 0].set_xlabel("seconds since the first block")
    figure.suptitle(f"Evidence of run {last[-1].run}: part of the way to proof (1 = proven)")
    figure.tight_layout()
    figure.savefig(target, dpi=110)
    plt.close(figure)


def _bands(axis: Any, blocks: Sequence[Replayed], seconds: Sequence[float]) -> None:
    """One band per stage, with its name at the top."""
    edges = [i for i, block in enumerate(blocks) if i == 0 or blocks[i - 1].stage != block.stage]
    for number, (first, following) in enumerate(itertools.pairwise([*edges, len(blocks)])):
        left, right = seconds[first], seconds[min(following, len(blocks) - 1)]
        axis.axvspan(left, max(right, left + 0.5), color=BAND_COLORS[number % 2], zorder=0)
        axis.text(left, 1.22, f" {blocks[first].stage}", fontsize=8, color="#666666", va="center")


def _curves(axis: Any, blocks: Sequence[Replayed], seconds: Sequence[float], gate: str) -> None:
    names = [reading.name for reading in blocks[-1].assessments[gate].readings]
    for color, name in zip(itertools.cycle(COLORS), dict.fromkeys(names), strict=False):
        points = [
            (second, max(-1.0, min(1.4, reading.log_e / reading.log_threshold)), reading.acting)
            for second, block in zip(seconds, blocks, strict=True)
            for reading in block.assessments[gate].readings
            if reading.name == name and not math.isnan(reading.log_e)
        ]
        if not points or not any(abs(height) > 1e-9 for _, height, _ in points):
            continue
        style = "-" if points[-1][2] else ":"
        axis.plot([p[0] for p in points], [p[1] for p in points], style, color=color, label=name, linewidth=1.4)
    axis.axhline(1.0, color="#222222", linewidth=0.8, linestyle="--")
    axis.set_ylim(-1.1, 1.4)
    axis.set_title(f"{gate}: {blocks[-1].assessments[gate].verdict}", fontsize=9, loc="left")
    if axis.get_legend_handles_labels()[1]:
        axis.legend(fontsize=7, loc="lower left", ncols=4, framealpha=0.9)

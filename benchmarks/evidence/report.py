"""Writes the rows, prints recall by stratum, draws it, and says where another sampler is ahead of the default."""

import datetime as dt
import json
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.evidence.measure import BUDGETS, DEFAULT, RecallRow

COLORS = {
    "quota": "#0b6e4f",
    "uniform": "#888888",
    "topk": "#c1440e",
    "aks": "#b8860b",
    "adard": "#5b4b8a",
    "wfs-sb": "#1f77b4",
    "qca": "#d27ab4",
}
"""Samplers of the plot: one or two of a family."""
_DODGE = 0.025
"""Octaves between the whiskers of two samplers."""


def write(rows: Sequence[RecallRow], source: str, folder: Path) -> int:
    """evidence.json and evidence.png (with the source's name if it is not the generator)."""
    about = {
        "source": source,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
    }
    name = "evidence" if source == "generator" else f"evidence_{source}"
    folder.mkdir(parents=True, exist_ok=True)
    content = [{"benchmark": "evidence", **asdict(row), **about} for row in rows]
    lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in content)
    (folder / f"{name}.json").write_text(f"[\n{lines}\n]\n")
    _draw(rows, folder / f"{name}.png")
    _print(rows)
    ahead = [row for row in rows if row.is_ahead]
    for row in ahead:
        sys.stdout.write(
            f"AHEAD of {DEFAULT}: {row.sampler} in {row.stratum} at {row.budget} frames by "
            f"{-row.default_minus:.3f} ({-row.high:.3f} to {-row.low:.3f})\n"
        )
    compared = sum(row.sampler != DEFAULT for row in rows)
    sys.stdout.write(
        f"{DEFAULT} is behind in {len(ahead)} of {compared} comparisons; written to {folder}/{name}.json\n"
    )
    return 0


def _paired(points: Sequence[RecallRow]) -> list[list[float]]:
    """Below and above each point: the paired interval of the sampler minus the default, at the default's recall (95 %
    for all samplers together). One that does not reach the default's line is another recall."""
    below = [max(0.0, row.high - row.default_minus) for row in points]
    above = [max(0.0, row.default_minus - row.low) for row in points]
    return [below, above]


def _print(rows: Sequence[RecallRow]) -> None:
    samplers = list(dict.fromkeys(row.sampler for row in rows))
    for stratum in dict.fromkeys(row.stratum for row in rows):
        inside = {(row.sampler, row.budget): row for row in rows if row.stratum == stratum}
        cases = inside[DEFAULT, BUDGETS[0]].cases
        sys.stdout.write(f"\n{stratum} ({cases} cases){'':4}recall at {', '.join(map(str, BUDGETS))} frames\n")
        for sampler in sorted(samplers, key=lambda one: -sum(inside[one, budget].recall for budget in BUDGETS)):
            cells = "".join(f"{inside[sampler, budget].recall:8.3f}" for budget in BUDGETS)
            sys.stdout.write(f"  {sampler:14}{cells}\n")


def _draw(rows: Sequence[RecallRow], path: Path) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    strata = [one for one in dict.fromkeys(row.stratum for row in rows) if ", " in one] or ["all"]
    columns = min(3, len(strata))
    lines = -(-len(strata) // columns)
    figure, grid = plt.subplots(
        lines,
        columns,
        figsize=(3.4 * columns, 2.7 * lines),
        layout="constrained",
        sharex=True,
        sharey=True,
        squeeze=False,
    )
    for axes, stratum in zip(grid.flat, strata, strict=False):
        for number, (sampler, color) in enumerate(COLORS.items()):
            points = [row for row in rows if (row.stratum, row.sampler) == (stratum, sampler)]
            width, marker = (2.4, "o") if sampler == DEFAULT else (1.2, ".")
            axes.errorbar(
                [row.budget * 2 ** (_DODGE * number) for row in points],
                [row.recall for row in points],
                yerr=_paired(points),
                color=color, lw=width, elinewidth=0.8, marker=marker, ms=4, label=sampler,
            )  # fmt: skip
        axes.set_title(stratum, fontsize=9)
        axes.set_xscale("log", base=2)
        axes.set_xticks(BUDGETS, [str(budget) for budget in BUDGETS])
        axes.set_ylim(0, 1)
        axes.grid(alpha=0.3)
    for axes in grid[-1]:
        axes.set_xlabel("frames")
    for axes in grid[:, 0]:
        axes.set_ylabel("share of moments hit")
    figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=len(COLORS), fontsize=8)
    figure.savefig(path, dpi=110)
    plt.close(figure)

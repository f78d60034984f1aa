"""Plots the results: false alarms, and the time until a harmful candidate is off, by traffic."""

from pathlib import Path

POLICIES = {
    "pitwall, Block": ("#0b6e4f", "-", "o"),
    "pitwall, Query": ("#0b6e4f", "--", "s"),
    "pitwall, Query, shared control": ("#4fae8c", "--", "*"),
    "flagger, threshold 1": ("#c1440e", "-", "^"),
    "flagger, threshold 5": ("#c1440e", "--", "v"),
    "argo, failureLimit 3": ("#b8860b", "-", "D"),
    "kayenta, every 5 min": ("#5b4b8a", "-", "P"),
    "z-test, every minute": ("#666666", ":", "x"),
}


def draw(rows: list[dict], folder: Path) -> None:
    """Writes canary_policies_false_alarms.png and canary_policies_time_to_off.png."""
    import matplotlib as mpl

    mpl.use("Agg")
    _curves(
        rows,
        folder / "canary_policies_false_alarms.png",
        "identical",
        "false_rollback",
        "identical variant rolled back",
    )
    _curves(
        rows,
        folder / "canary_policies_time_to_off.png",
        "p99 × 2",
        "seconds_to_off_p50",
        "p99 × 2: median seconds until off (where most runs were flagged off)",
    )


def _curves(rows: list[dict], path: Path, scenario: str, column: str, title: str) -> None:
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(7.2, 4.2), layout="constrained")
    for policy, (color, line, marker) in POLICIES.items():
        found = [r for r in rows if (r["policy"], r["scenario"], r["weight"]) == (policy, scenario, "10%")]
        points = sorted((row["rps"] * 6, row[column]) for row in found if _is_typical(row, column))
        if points:
            axes.plot(*zip(*points, strict=True), line, color=color, marker=marker, ms=5, label=policy)
    axes.set_xscale("log")
    axes.set_xlabel("candidate's queries per minute")
    axes.set_title(title)
    if column == "seconds_to_off_p50":
        axes.set_yscale("log")
    else:
        axes.axhline(0.01, color="black", lw=0.8)
        axes.annotate("α = 1 %", (1.05, 0.02), fontsize=8)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    figure.savefig(path, dpi=130)
    plt.close(figure)


def _is_typical(row: dict, column: str) -> bool:
    """A median time says nothing if most runs never came to it."""
    if column != "seconds_to_off_p50":
        return True
    return row[column] is not None and row["missed"] + row["inconclusive"] < 0.5

"""Checks the results against the project's promises: for each, the number that keeps or breaks it."""

from collections.abc import Callable, Iterable

FALSE_ALARMS = 0.01
DIRTY = ("identical", "identical, correlation .05", "identical, diurnal drift", "identical, common spikes")
FOCUS_RPS = 100.0


def targets(rows: list[dict]) -> list[dict]:
    """Each with name, promised, measured and kept."""
    return [
        _no_false_rollback(rows, "pitwall, Block", DIRTY),
        *(
            _no_false_rollback(rows, policy, tuple(name for name in DIRTY if "correlation" not in name))
            for policy in ("pitwall, Query", "pitwall, Query, shared control")
        ),
        _time_to_off(rows, "pitwall, Query", 30.0),
        _time_to_off(rows, "pitwall, Block", 120.0),
        *(
            _exposure(rows, mode, weight, scenarios, words)
            for mode in ("pitwall, Query, shared control", "pitwall, Query", "pitwall, Block")
            for weight in ("10%", "1→10→50%")
            for scenarios, words in ((DIRTY[:1], "on clean traffic"), (DIRTY, "on dirty traffic too"))
        ),
        *(_time_to_promote(rows, policy) for policy in ("pitwall, Block", "pitwall, Block, margins 200/100/25")),
        _missing_data(rows),
    ]


def pick(rows: Iterable[dict], **wanted: object) -> list[dict]:
    """The rows that have these values."""
    return [row for row in rows if all(row[key] == value for key, value in wanted.items())]


def _target(name: str, promised: str, measured: str, *, kept: bool) -> dict:
    return {"name": name, "promised": promised, "measured": measured, "kept": bool(kept)}


def _no_false_rollback(rows: list[dict], policy: str, scenarios: tuple[str, ...]) -> dict:
    found = [pick(rows, policy=policy, scenario=name, weight="1→10→50%")[0] for name in scenarios]
    worst = max(found, key=lambda row: row["false_rollback"])
    words = f"{worst['false_rollback']:.2%} of {worst['runs']} ramps ({worst['scenario']})"
    name = f"{policy}: identical variant rolled back over a whole ramp, worst of {len(found)} worlds"
    return _target(name, "≤ 1 %", words, kept=worst["false_rollback"] <= FALSE_ALARMS)


def _time_to_off(rows: list[dict], policy: str, promised: float) -> dict:
    def seconds(name: str) -> float:
        return pick(rows, policy=name, scenario="p99 × 2", weight="10%", rps=FOCUS_RPS)[0]["seconds_to_off_p50"]

    ours, flagger = seconds(policy), seconds("flagger, threshold 5")
    name = f"{policy}: p99 × 2 at 10 % of 100 rps, median time until off"
    words = f"{ours:.0f} s (Flagger, threshold 5: {flagger:.0f} s)"
    return _target(name, f"≤ {promised:.0f} s", words, kept=ours <= promised)


def _exposure(rows: list[dict], policy: str, weight: str, scenarios: tuple[str, ...], words: str) -> dict:
    rows = [row for row in pick(rows, weight=weight) if row["rps"] == FOCUS_RPS]
    peers = sorted({row["policy"] for row in rows if not row["policy"].startswith("pitwall")})
    honest = [name for name in peers if _is_honest(rows, name, scenarios)]
    reached = {name: pick(rows, policy=name, scenario="p99 × 2")[0] for name in honest}
    useful = {name: row for name, row in reached.items() if row["missed"] + row["inconclusive"] < 0.05}
    ours = pick(rows, policy=policy, scenario="p99 × 2")[0]["users_exposed_p50"]
    name = f"{policy}: users exposed to p99 × 2 at {weight} of 100 rps, against peers with ≤ 1 % false alarms {words}"
    if not useful:
        return _target(name, "≤ 1/5 of the best peer's", f"{ours:.0f}; no peer's rule qualifies", kept=True)
    best = min(useful, key=lambda peer: useful[peer]["users_exposed_p50"])
    theirs = useful[best]["users_exposed_p50"]
    return _target(
        name, "≤ 1/5 of the best peer's", f"{ours:.0f} against {theirs:.0f} ({best})", kept=5 * ours <= theirs
    )


def _is_honest(rows: list[dict], policy: str, scenarios: tuple[str, ...]) -> bool:
    found = [line for name in scenarios for line in pick(rows, policy=policy, scenario=name)]
    return len(found) == len(scenarios) and all(line["false_rollback"] <= FALSE_ALARMS for line in found)


def _time_to_promote(rows: list[dict], policy: str) -> dict:
    line = pick(rows, policy=policy, scenario="identical", weight="1→10→50%")[0]
    p50, p90 = line["seconds_to_promote_p50"] / 60, line["seconds_to_promote_p90"] / 60
    name = f"{policy}: healthy variant through the ramp at 100 rps with proof"
    words = f"{p50:.0f} min median, {p90:.0f} min for nine of ten"
    return _target(name, "≤ 90 min", words, kept=p50 <= 90 and line["inconclusive"] < 0.1)


def _missing_data(rows: list[dict]) -> dict:
    def verdicts(row: dict) -> float:
        return 1 - row["inconclusive"]

    check: Callable[[str], list[dict]] = lambda name: pick(rows, scenario=name)  # noqa: E731
    silent = [row for row in check("identical, Prometheus never answers") if row["policy"].startswith("pitwall")]
    outage = [row for row in check("identical, Prometheus out 10 min") if row["policy"].startswith("pitwall")]
    given = max(verdicts(row) for row in silent)
    rolled_back = max(row["false_rollback"] for row in outage)
    words = f"{given:.2%} without data; {rolled_back:.2%} rolled back over a 10 min outage"
    return _target("verdicts on missing data", "0", words, kept=given == 0 and rolled_back <= FALSE_ALARMS)

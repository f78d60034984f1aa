"""Summarizes the outcome of many runs as one row of the results."""

from dataclasses import dataclass

import numpy as np
from benchmarks.canary_policies.policies.outcome import RampOutcome
from benchmarks.canary_policies.world.scenarios import TrafficScenario, Truth


@dataclass(frozen=True, slots=True)
class Cell:
    """Where a row stands."""

    policy: str
    scenario: TrafficScenario
    per_minute: float
    weight: str
    runs: int


def interval(hits: int, runs: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a proportion."""
    z, share = 1.96, hits / runs
    center = (share + z * z / (2 * runs)) / (1 + z * z / runs)
    half = z * np.sqrt(share * (1 - share) / runs + z * z / (4 * runs * runs)) / (1 + z * z / runs)
    return max(0.0, center - half), min(1.0, center + half)


def row(cell: Cell, outcome: RampOutcome) -> dict[str, object]:
    """One line of the table; shares with 95 % intervals, times in seconds, None where nothing happened."""
    off, promoted = np.isfinite(outcome.off), np.isfinite(outcome.promoted)
    harmful = cell.scenario.truth is Truth.HARMFUL
    shares = {
        "false_rollback": 0 if harmful else int(off.sum()),
        "missed": int(promoted.sum()) if harmful else 0,
        "inconclusive": int((~off & ~promoted).sum()),
    }
    line: dict[str, object] = {
        "policy": cell.policy,
        "scenario": cell.scenario.name,
        "truth": cell.scenario.truth.value,
        "metric": cell.scenario.metric.value,
        "rps": round(cell.per_minute / 60, 4),
        "weight": cell.weight,
        "runs": cell.runs,
    }
    for name, hits in shares.items():
        line[name] = hits / cell.runs
        line[f"{name}_95"] = [round(limit, 5) for limit in interval(hits, cell.runs)]
    line["seconds_to_off_p50"] = _quantile(outcome.off[off], 0.5)
    line["seconds_to_off_p90"] = _quantile(outcome.off[off], 0.9)
    line["users_exposed_p50"] = _quantile(outcome.exposed[off], 0.5)
    line["seconds_to_promote_p50"] = _quantile(outcome.promoted[promoted], 0.5)
    line["seconds_to_promote_p90"] = _quantile(outcome.promoted[promoted], 0.9)
    return line


def _quantile(values: np.ndarray, share: float) -> float | None:
    return float(np.quantile(values, share)) if len(values) else None

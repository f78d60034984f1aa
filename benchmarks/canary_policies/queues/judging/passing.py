"""How often a candidate passes a stage although its latency is worse than the stage's margin allows."""

from collections.abc import Iterator
from dataclasses import replace
from zlib import crc32

import numpy as np
from benchmarks.canary_policies.queues.grid import HARMED, HOUR
from benchmarks.canary_policies.queues.judging import judge
from benchmarks.canary_policies.queues.simulate import QueueCounts, simulate, stable_history
from benchmarks.canary_policies.queues.world.scenario import Effect, QueueScenario
from scipy.optimize import brentq
from scipy.special import betaincinv

from pitwall_operator.decision.weighing.analyze import LAST_MARGIN
from pitwall_operator.gates.processes import promote_margin

RUNS, PILOT_RUNS, QUICK_RUNS = 1000, 250, 20
RUNS_AT_ONCE = 250
STAGES = {0.01: 0, 0.1: 1, 0.5: LAST_MARGIN}
"""Canary stage by weight, of 1 → 10 → 50 → 100 %."""
SLOWEST, TOLERANCE = 4.0, 0.002
STEP_SECONDS = 10.0
CONFIDENCE = 0.95


def scenarios(*, quick: bool) -> Iterator[QueueScenario]:
    """Two questions a second, as long as harmful candidates are watched there."""
    for (rps, weight), hours in HARMED.items():
        for stall in (3.0,) if quick else (0.0, 3.0):  # of longer stalls no number of runs tells the mean well enough
            if rps == 2.0 and (weight == 0.5 or not quick):
                yield QueueScenario(
                    f"on the margin of {weight:.0%}, {rps:g} rps, stalls {stall:g} s",
                    rps, weight, dedicated=True, stall_seconds=stall, seconds=hours * HOUR,
                )  # fmt: skip


def row_of(scenario: QueueScenario, runs: int = RUNS, pilot_runs: int = PILOT_RUNS) -> dict:
    """One stage alone: every run in which the proof is ever found counts, also after the candidate was flagged off."""
    seed, margin = crc32(scenario.name.encode()), promote_margin(judge.LATENCY, STAGES[scenario.weight])
    history = stable_history(scenario, seed)
    worse = on_margin(scenario, history.edges, 1 + margin / 100, pilot_runs, seed + 1)
    passed, bad = [], np.zeros((2, 2))
    for first in range(0, runs, RUNS_AT_ONCE):
        counts = _play(worse, min(RUNS_AT_ONCE, runs - first), seed + first, history.edges)
        length = float(np.median(history.memories))
        reading = judge.QueueReading(counts, int(np.ceil(length / STEP_SECONDS)), STEP_SECONDS)
        passed.append(np.isfinite(judge.seconds_until_passed(reading, STAGES[scenario.weight])))
        bad += _bad(counts)
    hits = int(np.concatenate(passed).sum())
    return {
        "scenario": scenario.name,
        "mode": "one stage, passing",
        "truth": "worse than the margin",
        "measured": "latency",
        "rps": scenario.rps,
        "weight": scenario.weight,
        "stall_seconds": scenario.stall_seconds,
        "hours": scenario.seconds / HOUR,
        "margin_percent": margin,
        "slower": round(worse.effect.slower, 4),
        "bad_ratio": round(float(_ratio(bad)), 3),
        "median_block_seconds": length,
        "runs": runs,
        "passed": hits / runs,
        "passed_upper": round(float(betaincinv(hits + 1, runs - hits, CONFIDENCE)), 4),
    }


def on_margin(scenario: QueueScenario, edges: tuple[float, ...], ratio: float, runs: int, seed: int) -> QueueScenario:
    """The candidate so much slower that this many times the control's share of its questions is too slow.

    Every trial of the search plays the same questions, so the ratio grows with the slowness.
    """

    def slower(factor: float) -> QueueScenario:
        return replace(scenario, effect=Effect(slower=factor))

    def excess(factor: float) -> float:
        return _ratio(_bad(_play(slower(factor), runs, seed, edges))) - ratio

    return slower(brentq(excess, 1.0, SLOWEST, xtol=TOLERANCE) + TOLERANCE)


def _play(scenario: QueueScenario, runs: int, seed: int, edges: tuple[float, ...]) -> QueueCounts:
    return simulate(scenario, runs, seed, edges, with_stable=False, step_seconds=STEP_SECONDS)


def _bad(counts: QueueCounts) -> np.ndarray:
    """(control and candidate, bad and all) trials at the gate's own edge."""
    arms = (counts.control, counts.candidate)
    return np.array([(arm.beyond[-1].sum(), arm.trials[-1].sum()) for arm in arms], float)


def _ratio(bad: np.ndarray) -> float:
    (control, control_trials), (candidate, candidate_trials) = bad
    return (candidate / candidate_trials) / (control / control_trials)

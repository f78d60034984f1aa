"""Draws docs/statistics.md's picture of evidence over time: `python -m benchmarks.canary_policies.picture FILE.png`."""

import itertools
import sys
from pathlib import Path

import numpy as np
from benchmarks.canary_policies import ours, ramp
from benchmarks.canary_policies.scenarios import ScenarioMetric, TrafficScenario, Truth
from benchmarks.canary_policies.traffic import BLOCK_SECONDS, SimulatedTraffic

from pitwall_crds.gate import Dependence

RUNS, MINUTES, TRIALS = 40, 40, 50
MARGINS = (200, 100, 25)
GREEN, RED, GREY = "#0b6e4f", "#c1440e", "#9a9a9a"
BLOCKS = MINUTES * 60 // BLOCK_SECONDS


def harm(scenario: TrafficScenario, runs: int) -> np.ndarray:
    """(blocks, runs) log10 of the harm e-value at 10 % of 100 rps, Block mode."""
    traffic, state = (
        SimulatedTraffic(scenario, runs, BLOCKS, seed=12),
        ours.roles(scenario.metric, Dependence.BLOCK, runs),
    )
    values = []
    for index in range(BLOCKS):
        trials = traffic.draw.poisson(TRIALS, runs)
        state.harm.update(trials, *traffic.block(index, trials))
        values.append(state.harm.log_e / np.log(10))
    return np.array(values)


def proof(scenario: TrafficScenario) -> tuple[np.ndarray, list[int]]:
    """(blocks, margins) log10 of the non-inferiority e-values of one ramp, and the blocks at which the weight grew."""
    count = ramp.LAST_BLOCK
    traffic, state = (
        SimulatedTraffic(scenario, 1, count, seed=5),
        ours.roles(scenario.metric, Dependence.BLOCK, 1, MARGINS),
    )
    values, steps = [], [0]
    for index in range(count):
        stage = len(steps) - 1
        trials = traffic.draw.poisson(ramp.RPS * ramp.SHARES[stage] * BLOCK_SECONDS, 1)
        state.update(trials, *traffic.block(index, trials))
        values.append([process.log_e[0] / np.log(10) for process in state.proofs])
        if state.is_proven(stage)[0] and (index - steps[-1]) * BLOCK_SECONDS >= ramp.STAGE_SECONDS:
            steps.append(index + 1)
            if len(steps) > len(ramp.SHARES):
                break
    return np.array(values), steps


def draw(path: Path) -> None:
    """Writes the picture."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(10.5, 3.9), layout="constrained")
    _draw_harm(left)
    _draw_proof(right)
    for axes in (left, right):
        axes.set_xlabel("minutes")
        axes.grid(alpha=0.25)
    figure.savefig(path, dpi=130)
    plt.close(figure)


def _draw_harm(axes) -> None:
    late = TrafficScenario(
        "late", Truth.HARMFUL, ScenarioMetric.LATENCY, slowdown=2.0, harm_from_minute=20.0, correlation=0.02
    )
    same = TrafficScenario("same", Truth.HARMLESS, ScenarioMetric.LATENCY, correlation=0.02)
    minutes = np.arange(1, BLOCKS + 1) * BLOCK_SECONDS / 60
    axes.plot(minutes, harm(same, RUNS), color=GREY, lw=0.6, alpha=0.7)
    axes.plot([], [], color=GREY, label=f"{RUNS} identical variants")
    axes.plot(minutes, harm(late, 1), color=RED, lw=1.8, label="p99 doubles at minute 20")
    axes.axhline(np.log10(200), color="black", lw=1)
    axes.annotate("proof of harm: e = 200", (0.5, np.log10(200) + 0.12), fontsize=8)
    axes.set_ylim(-4, 6)
    axes.set_ylabel("log₁₀ e")
    axes.set_title("harm, 10 % of 100 rps, Block", fontsize=10)
    axes.legend(fontsize=8, loc="lower left")


def _draw_proof(axes) -> None:
    values, steps = proof(TrafficScenario("same", Truth.HARMLESS, ScenarioMetric.LATENCY, correlation=0.02))
    minutes = np.arange(1, len(values) + 1) * BLOCK_SECONDS / 60
    edges = [step * BLOCK_SECONDS / 60 for step in steps]
    bands = zip(ramp.SHARES, itertools.pairwise(edges), ("#eef5f1", "#dcebe3", "#c9e0d5"), strict=True)
    for height, (share, (start, end), shade) in enumerate(bands):
        axes.axvspan(start, end, color=shade)
        # narrow bands stand side by side, so their labels stand one above the other
        axes.annotate(f"{share:.0%}", ((start + end) / 2, -1.8 + 0.35 * height), ha="center", fontsize=9)
    for column, (margin, line) in enumerate(zip(MARGINS, ("-", "--", ":"), strict=True)):
        axes.plot(minutes, values[:, column], line, color=GREEN, lw=1.6, label=f"at most {margin} % more slow queries")
    axes.axhline(np.log10(20), color="black", lw=1)
    axes.annotate("proof: e = 20", (0.3, np.log10(20) + 0.08), fontsize=8)
    axes.set_ylim(-2, 4)
    axes.set_title("a healthy variant's way to 100 % at 100 rps, Block", fontsize=10)
    axes.legend(fontsize=8, loc="upper left")


if __name__ == "__main__":
    draw(Path(sys.argv[1]))

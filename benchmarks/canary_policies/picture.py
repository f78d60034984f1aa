"""Draws docs/statistics.md's picture of evidence over time: `python -m benchmarks.canary_policies.picture FILE.png`.

The verdicts are those of a gate as the operator builds it, fed with latencies in blocks of 30 s.
"""

import itertools
import math
import sys
from pathlib import Path

import numpy as np

from pitwall_crds.edges import LATENCY_EDGES
from pitwall_crds.rollout.gate import Gate, QuantileMetric, QuantileRule
from pitwall_crds.rollout.rollout import Analysis
from pitwall_crds.rollout.status import Verdict
from pitwall_operator.evidence.basis.counts import Counts, EdgeTallies, Tally
from pitwall_operator.gates import GateEvidence, ProcessReading, StageContext, StageKind, margin_edge, tail_edge
from pitwall_operator.gates.processes import further_edges
from pitwall_operator.gates.roles import HARM, NON_INFERIORITY

RUNS, MINUTES, TURN_MINUTE = 40, 40, 20
BLOCK_SECONDS, BLOCKS_A_MINUTE = 30, 2
RPS, SHARES = 100, (0.01, 0.1, 0.5)
SPREAD, SHARED_SPREAD = 0.5, 0.1
"""Of the logarithm of a question's seconds; and of what all questions of an arm's block have in common."""
LONGEST_MINUTES = 180
GREEN, RED, GREY = "#0b6e4f", "#c1440e", "#9a9a9a"
GATE = Gate(name="latency-p99", quantile=QuantileRule(metric=QuantileMetric.QUERY_LATENCY))
ANALYSIS = Analysis(gates=(GATE,))
DECADE = math.log(10)


def latencies(draw: np.random.Generator, trials: int, slower: float = 1.0) -> np.ndarray:
    """Seconds of one arm's questions in one block."""
    return slower * np.exp(draw.normal(0, SHARED_SPREAD) + draw.normal(0, SPREAD, trials))


class Edges:
    """Where a gate's bad questions begin for each arm: its own edge first, then those of lower quantiles."""

    def __init__(self, draw: np.random.Generator) -> None:
        history = np.concatenate([latencies(draw, 100) for _ in range(2000)])
        counts = [int((history <= edge).sum()) for edge in LATENCY_EDGES]
        quantiles = (GATE.quantile.per_mille, *further_edges(GATE))
        self.control = [tail_edge(LATENCY_EDGES, counts, per_mille) for per_mille in quantiles]
        self.candidate = [margin_edge(LATENCY_EDGES, edge, GATE.margin_percent) for edge in self.control]

    def counts(self, control: np.ndarray, candidate: np.ndarray) -> Counts:
        """A block as the gate sees it."""
        own, *further = (
            EdgeTallies(
                Tally(len(control), int((control > a).sum())), Tally(len(candidate), int((candidate > b).sum()))
            )
            for a, b in zip(self.control, self.candidate, strict=True)
        )
        return Counts(own.control, own.candidate, edges=tuple(further))


def reading(evidence: GateEvidence, stage: StageContext, name: str) -> ProcessReading:
    """One acting process at this moment."""
    return next(one for one in evidence.assess(stage).readings if one.name == name)


def harm(draw: np.random.Generator, edges: Edges, slower: float) -> list[float]:
    """log10 e of harm after each block at 10 % of the traffic; the candidate is slower from the turning minute on."""
    evidence, values, stage = GateEvidence.start(GATE, ANALYSIS), [], StageContext(StageKind.CANARY, 1)
    for block in range(MINUTES * BLOCKS_A_MINUTE):
        now = slower if block >= TURN_MINUTE * BLOCKS_A_MINUTE else 1.0
        control, candidate = draw.poisson(RPS * SHARES[1] * BLOCK_SECONDS, 2)
        evidence = evidence.update(edges.counts(latencies(draw, control), latencies(draw, candidate, now)))
        values.append(reading(evidence, stage, HARM).log_e / DECADE)
    return values


def ramp(draw: np.random.Generator, edges: Edges) -> list[list[float]]:
    """log10 e of what lets a healthy variant pass, after each block of each stage; each stage begins anew."""
    evidence, stages = GateEvidence.start(GATE, ANALYSIS), []
    for index, share in enumerate(SHARES):
        stage = StageContext(StageKind.CANARY, index if index + 1 < len(SHARES) else len(GATE.promote_margin_percent))
        evidence, values = evidence.renewed(), []
        while len(values) < LONGEST_MINUTES * BLOCKS_A_MINUTE:
            control, candidate = draw.poisson(RPS * share * BLOCK_SECONDS, 2)
            evidence = evidence.update(edges.counts(latencies(draw, control), latencies(draw, candidate)))
            values.append(reading(evidence, stage, NON_INFERIORITY).log_e / DECADE)
            if evidence.assess(stage).verdict is Verdict.NON_INFERIOR:
                break
        stages.append(values)
    return stages


def draw_picture(path: Path) -> None:
    """Writes the picture."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    draw = np.random.default_rng(5)
    edges = Edges(draw)
    figure, (left, right) = plt.subplots(1, 2, figsize=(10.5, 3.9), layout="constrained")
    _draw_harm(left, draw, edges)
    _draw_proof(right, ramp(draw, edges))
    for axes in (left, right):
        axes.set_xlabel("minutes")
        axes.grid(alpha=0.25)
    figure.savefig(path, dpi=130)
    plt.close(figure)


def _threshold(name: str) -> float:
    return reading(GateEvidence.start(GATE, ANALYSIS), StageContext(StageKind.CANARY, 0), name).log_threshold / DECADE


def _draw_harm(axes, draw: np.random.Generator, edges: Edges) -> None:
    minutes = np.arange(1, MINUTES * BLOCKS_A_MINUTE + 1) / BLOCKS_A_MINUTE
    for _ in range(RUNS):
        axes.plot(minutes, harm(draw, edges, 1.0), color=GREY, lw=0.6, alpha=0.7)
    axes.plot([], [], color=GREY, label=f"{RUNS} identical variants")
    late, proof = np.array(harm(draw, edges, 2.0)), _threshold(HARM)
    first = minutes[np.argmax(late >= proof)]
    axes.plot(minutes, late, color=RED, lw=1.8, label=f"twice as slow from minute {TURN_MINUTE} on")
    axes.axhline(proof, color="black", lw=1)
    axes.annotate(f"proof of harm: e = {10**proof:.0f}, at minute {first:g}", (0.5, proof + 0.12), fontsize=8)
    axes.set_ylim(-4, 6)
    axes.set_ylabel("log₁₀ e")
    axes.set_title(f"harm, {SHARES[1]:.0%} of {RPS} rps, Block", fontsize=10)
    axes.legend(fontsize=8, loc="lower left")


def _draw_proof(axes, stages: list[list[float]]) -> None:
    ends = [0.0, *itertools.accumulate(len(values) / BLOCKS_A_MINUTE for values in stages)]
    spans = zip(SHARES, itertools.pairwise(ends), stages, ("#eef5f1", "#dcebe3", "#c9e0d5"), strict=True)
    for index, (share, (start, end), values, shade) in enumerate(spans):
        margins = GATE.promote_margin_percent
        margin = margins[-1] if index + 1 == len(SHARES) else margins[index]
        axes.axvspan(start, end, color=shade)
        axes.annotate(f"{share:.0%}\n≤ +{margin} %", ((start + end) / 2, -1.9), ha="center", fontsize=8)
        times = start + np.arange(len(values) + 1) / BLOCKS_A_MINUTE
        axes.plot(times, [0.0, *values], color=GREEN, lw=1.6)
    proof = _threshold(NON_INFERIORITY)
    axes.axhline(proof, color="black", lw=1)
    axes.annotate(f"proof: e = {10**proof:.0f}", (0.3, proof + 0.08), fontsize=8)
    axes.set_ylim(-2, 3)
    axes.set_title(f"a healthy variant's way to 100 % at {RPS} rps, Block", fontsize=10)


if __name__ == "__main__":
    draw_picture(Path(sys.argv[1]))

"""Replays a recorded stream (JSON lines) through every policy and prints their decisions, each with time and reason.

The first line is a header, every further line a block; counts are of that block alone, histograms are cumulative by
edge as in Prometheus (the last count is of all). Seconds count from the first block's beginning.

    {"metric": "latency", "per_mille": 990, "edges": [0.5, 1, 2, 4], "history": [900, 990, 999, 1000, 1000]}
    {"metric": "rate", "baseline": 0.1}
    {"seconds": 5, "control": {"histogram": [40, 49, 50, 50, 50]}, "candidate": {"histogram": [30, 44, 50, 50, 50]}}
    {"seconds": 5, "control": {"trials": 50, "bad": 4}, "candidate": {"trials": 50, "bad": 6}}
    {"seconds": 10, "missing": "Prometheus did not answer"}

`history` is the stable's histogram before the candidate came; it fixes Pitwall's edges and the peers' limits.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
from benchmarks.canary_policies.policies import peers
from benchmarks.canary_policies.table import USUAL_LIMIT
from benchmarks.canary_policies.world.laws import MARGIN_PERCENT
from benchmarks.canary_policies.world.traffic import Minutes

from pitwall_crds.rollout.gate import Dependence, Gate, QuantileMetric, QuantileRule, RateMetric, RateRule
from pitwall_crds.rollout.rollout import Analysis
from pitwall_crds.rollout.status import Verdict
from pitwall_operator.evidence.basis.counts import Counts, Tally
from pitwall_operator.gates import GateEvidence, StageContext, StageKind, margin_edge, tail_edge

FINAL = StageContext(StageKind.CANARY, 3)


@dataclass(frozen=True, slots=True)
class Stream:
    """A header and its blocks, with the edges at which Pitwall counts (none for rates)."""

    header: dict
    blocks: list[dict]
    edges: tuple[float, float] | None

    def counts(self, block: dict) -> Counts:
        """Trials and bad events of both arms."""
        return Counts(*(self._tally(block[arm], index) for index, arm in enumerate(("control", "candidate"))))

    def _tally(self, arm: dict, index: int) -> Tally:
        if self.edges is None:
            return Tally(arm["trials"], arm["bad"])
        trials = arm["histogram"][-1]
        within = dict(zip(self.header["edges"], arm["histogram"], strict=False)).get(self.edges[index], trials)
        return Tally(trials, trials - within)


def load(path: Path) -> Stream:
    """Reads one stream; raises ValueError naming the line that is wrong."""
    lines = []
    for number, text in enumerate(path.read_text().splitlines(), 1):
        try:
            lines.append(json.loads(text))
        except json.JSONDecodeError as error:
            raise ValueError(f"{path}:{number} is not JSON ({error}); see the format in replay.py") from error
    header, *blocks = lines
    if header["metric"] != "latency":
        return Stream(header, blocks, None)
    tau = tail_edge(header["edges"], header["history"], header["per_mille"])
    return Stream(header, blocks, (tau, margin_edge(header["edges"], tau, MARGIN_PERCENT)))


def timelines(path: Path) -> Iterator[dict]:
    """One decision timeline per policy."""
    stream = load(path)
    for dependence in Dependence:
        yield {"policy": f"pitwall, {dependence}", "events": list(_pitwall(stream, dependence))}
    yield from _peers(stream)


def _pitwall(stream: Stream, dependence: Dependence) -> Iterator[dict]:
    rule = (
        {"quantile": QuantileRule(metric=QuantileMetric.QUERY_LATENCY, per_mille=stream.header["per_mille"])}
        if stream.edges
        else {"rate": RateRule(metric=RateMetric.THUMBS_DOWN)}
    )
    gate = Gate(name="stream", dependence=dependence, **rule)
    evidence = GateEvidence.start(gate, Analysis(gates=(gate,)))
    last = None
    for block in stream.blocks:
        if "missing" in block:
            decision, reason = Verdict.UNMEASURED, block["missing"]
        else:
            evidence = evidence.update(stream.counts(block))
            assessment = evidence.assess(FINAL)
            decision, reason = assessment.verdict, assessment.message
        if decision is not last:
            yield {"seconds": block["seconds"], "decision": decision.value, "reason": reason}
            last = decision


def _peers(stream: Stream) -> Iterator[dict]:
    minutes = _minutes(stream)
    limit = USUAL_LIMIT * minutes.baseline
    times = {
        "flagger, threshold 1": peers.flagger(minutes, limit, threshold=1),
        "flagger, threshold 5": peers.flagger(minutes, limit, threshold=5),
        "argo, failureLimit 3": peers.argo(minutes, limit, failure_limit=3),
        "kayenta, every 5 min": peers.kayenta(minutes),
        "z-test, every minute": peers.z_test(minutes),
    }
    end = stream.blocks[-1]["seconds"]
    for policy, (off, promoted) in times.items():
        found = [(float(off[0]), "roll back"), (float(promoted[0]), "promote")]
        first = min(event for event in found if event[0] == min(time for time, _ in found))
        events = [{"seconds": first[0], "decision": first[1]}] if first[0] <= end else []
        yield {"policy": policy, "events": events}


def _minutes(stream: Stream) -> Minutes:
    """One run of whole minutes, in the form that the peers' rules take; they compare both arms at the same edge."""
    grouped = [list(group) for _, group in groupby(stream.blocks, lambda block: (block["seconds"] - 1e-9) // 60)]
    level = Stream(stream.header, stream.blocks, stream.edges and (stream.edges[0],) * 2)
    sums = [
        sum((level.counts(block) for block in group if "missing" not in block), start=Counts()) for group in grouped
    ]
    return Minutes(
        control=np.array([[_value(stream, group, "control") for group in grouped]]),
        candidate=np.array([[_value(stream, group, "candidate") for group in grouped]]),
        baseline=_baseline(stream),
        reachable=np.array([not any("missing" in block for block in group) for group in grouped]),
        trials=np.array([[min(counts.control.trials, counts.candidate.trials) for counts in sums]]),
        bad=np.array([[[counts.control.bad for counts in sums]], [[counts.candidate.bad for counts in sums]]]),
    )


def _value(stream: Stream, group: list[dict], arm: str) -> float:
    """What a per-minute query returns: the quantile of the minute's histogram, or the bad share."""
    seen = [block[arm] for block in group if "missing" not in block]
    if stream.edges is None:
        trials = sum(block["trials"] for block in seen)
        return sum(block["bad"] for block in seen) / trials if trials else float("nan")
    if not seen:
        return float("nan")
    cumulative = np.sum([block["histogram"] for block in seen], axis=0)
    return histogram_quantile(stream.header["edges"], cumulative, stream.header["per_mille"] / 1000)


def _baseline(stream: Stream) -> float:
    if stream.edges is None:
        return float(stream.header["baseline"])
    return histogram_quantile(
        stream.header["edges"], np.array(stream.header["history"]), stream.header["per_mille"] / 1000
    )


def histogram_quantile(edges: list[float], cumulative: np.ndarray, quantile: float) -> float:
    """Prometheus' interpolation inside the bucket; NaN without observations, the last edge beyond it."""
    total = cumulative[-1]
    if total == 0:
        return float("nan")
    index = int(np.searchsorted(cumulative, quantile * total))
    if index >= len(edges):
        return float(edges[-1])
    below = cumulative[index - 1] if index else 0
    left = edges[index - 1] if index else 0.0
    inside = cumulative[index] - below
    return float(left + (edges[index] - left) * (quantile * total - below) / inside) if inside else float(edges[index])

"""Freezes, before a run, the threshold beyond which a quantile gate counts a query as slow.

Pure: no clock, chance or I/O.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

from pitwall_crds.rollout.gate import Gate
from pitwall_crds.rollout.rollout import RolloutSpec
from pitwall_crds.rollout.status import EdgeStatus, RolloutStatus, TailStatus, Verdict
from pitwall_operator.gates import Assessment, StageContext, StageKind, highest_edge, margin_edge, tail_edge
from pitwall_operator.gates.counting import counters
from pitwall_operator.gates.processes import further_edges
from pitwall_operator.values.observation import Reading

HISTORY_PER_TAIL = 10
"""A threshold is frozen once the control's history holds this many queries beyond the quantile."""


def frozen(gate: Gate, known: TailStatus | None, reading: Reading, stable: str) -> TailStatus | None:
    """The gate's thresholds; chosen once, when the control's history suffices, then never changed. Where the gate's own
    would lie beyond the last edge, nothing could ever count as bad there: harm is looked for at the highest that is
    measured until its own one is."""
    if gate.quantile is None or (known is not None and not is_lowered(gate, known)):
        return known
    history = counters.tail_history(reading, gate.quantile.metric, stable)
    needed = HISTORY_PER_TAIL * 1000 / (1000 - gate.quantile.per_mille)
    if not history or history[-1] < needed:
        return known
    edges = counters.EDGES[gate.quantile.metric]
    highest = highest_edge(edges, gate.margin_percent)
    own = tail_edge(edges, history, gate.quantile.per_mille)
    if math.isinf(highest) or (known is not None and own > highest):
        return known
    further = (tail_edge(edges, history, per_mille) for per_mille in further_edges(gate))
    at = _with_margin(history, min(own, highest), gate)
    # A word that is dropped each time must not have the same edge frozen anew each time: nothing would be counted.
    if known is not None and known.lowered is None and float(known.control) == min(own, highest):
        return known
    return TailStatus(
        control=at.control,
        candidate=at.candidate,
        share=at.share,
        further=tuple(_with_margin(history, edge, gate) for edge in further if edge <= highest),
        lowered=own > highest,
    )


def _with_margin(history: Sequence[int], edge: float, gate: Gate) -> EdgeStatus:
    assert gate.quantile is not None
    edges = counters.EDGES[gate.quantile.metric]
    return EdgeStatus(
        control=repr(edge),
        candidate=repr(margin_edge(edges, edge, gate.margin_percent)),
        share=f"{1 - history[edges.index(edge)] / history[-1]:.4f}",
    )


def is_lowered(gate: Gate, tail: TailStatus) -> bool:
    """Whether thresholds are lower than the gate's own. A CRD older than that word drops it from the status: then those
    at the highest edge are taken for such, since what passes there could be anything."""
    if tail.lowered is not None or gate.quantile is None:
        return bool(tail.lowered)
    return float(tail.control) >= highest_edge(counters.EDGES[gate.quantile.metric], gate.margin_percent)


def edges_of(tail: TailStatus | None) -> counters.TailEdges | None:
    """A gate's thresholds as the counters need them."""
    if tail is None:
        return None
    further = tuple((float(edge.control), float(edge.candidate)) for edge in tail.further)
    return counters.TailEdges(float(tail.control), float(tail.candidate), further)


def why_missing(gate: Gate, reading: Reading, stable: str) -> str:
    """Why a quantile gate has no thresholds yet."""
    assert gate.quantile is not None
    history = counters.tail_history(reading, gate.quantile.metric, stable)
    needed = math.ceil(HISTORY_PER_TAIL * 1000 / (1000 - gate.quantile.per_mille))
    known = history[-1] if history else 0
    if known < needed:
        words = f"{known} answers of {stable} count, within its users' shares, of the {needed} that its threshold needs"
        return words if known else f"{words}, as far as gateways tell; older ones do not"
    return _beyond_measure(gate)


def _beyond_measure(gate: Gate) -> str:
    assert gate.quantile is not None
    last = counters.EDGES[gate.quantile.metric][-1]
    return f"the threshold would lie beyond the last bucket edge ({last:.4g} s): lower marginPercent or perMille"


def unless_lowered(gate: Gate, tail: TailStatus | None, assessment: Assessment, stage: StageContext) -> Assessment:
    """The assessment where the gate's own threshold is measured or harm is proven; else nothing was. The shadow's pairs
    need no threshold."""
    is_measured = tail is None or not is_lowered(gate, tail) or stage.kind is StageKind.SHADOW
    if is_measured or assessment.verdict is Verdict.HARMFUL:
        return assessment
    message = f"{_beyond_measure(gate)}; until then harm is looked for below it, and nothing passes"
    return replace(assessment, verdict=Verdict.UNMEASURED, message=message, missing_trials=None)


def freeze(spec: RolloutSpec, status: RolloutStatus, reading: Reading) -> RolloutStatus:
    """The status with thresholds frozen where the control's history now allows it."""
    known = {gate.name: gate for gate in status.gates}
    gates = tuple(
        known[gate.name].model_copy(
            update={"tail": frozen(gate, known[gate.name].tail, reading, status.stable_variant)}
        )
        for gate in spec.analysis.gates
    )
    return status.model_copy(update={"gates": gates})

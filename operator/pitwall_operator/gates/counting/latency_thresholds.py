"""Freezes, before a run, the threshold beyond which a quantile gate counts a query as slow.

Pure: no clock, chance or I/O.
"""

import math

from pitwall_crds.rollout.gate import Gate
from pitwall_crds.rollout.rollout import RolloutSpec
from pitwall_crds.rollout.status import EdgeStatus, RolloutStatus, TailStatus
from pitwall_operator.gates import margin_edge, tail_edge
from pitwall_operator.gates.counting import counters
from pitwall_operator.gates.processes import further_edges
from pitwall_operator.values.observation import Reading

HISTORY_PER_TAIL = 10
"""A threshold is frozen once the control's history holds this many queries beyond the quantile."""


def frozen(gate: Gate, known: TailStatus | None, reading: Reading, stable: str) -> TailStatus | None:
    """The gate's thresholds; chosen once, when the control's history suffices, then never changed."""
    if gate.quantile is None or known is not None:
        return known
    history = counters.tail_history(reading, gate.quantile.metric, stable)
    needed = HISTORY_PER_TAIL * 1000 / (1000 - gate.quantile.per_mille)
    if not history or history[-1] < needed:
        return None
    edges = counters.EDGES[gate.quantile.metric]
    control = tail_edge(edges, history, gate.quantile.per_mille)
    candidate = margin_edge(edges, control, gate.margin_percent)
    if math.isinf(candidate):
        return None  # beyond the last edge nothing could ever count as bad: not measured, rather than innocent
    further = tuple(
        EdgeStatus(control=repr(edge), candidate=repr(margin_edge(edges, edge, gate.margin_percent)))
        for edge in (tail_edge(edges, history, per_mille) for per_mille in further_edges(gate))
    )
    return TailStatus(control=repr(control), candidate=repr(candidate), further=further)


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
        return f"{stable} has answered {known} of the {needed} queries that its threshold needs"
    last = counters.EDGES[gate.quantile.metric][-1]
    return f"the threshold would lie beyond the last bucket edge ({last:g} s): widen the buckets or lower marginPercent"


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

"""Counts the candidate's questions that are grossly slow by stable's record, for stages in which no control is like it.

Pure: no clock, chance or I/O.
"""

from dataclasses import replace

from pitwall_crds.names import Arm
from pitwall_crds.rollout.gate import Gate
from pitwall_operator.evidence.basis.counts import Counts, EdgeTallies
from pitwall_operator.gates import grossness
from pitwall_operator.gates.counting.counters import EDGES, TIMES, Run, TailEdges, beyond
from pitwall_operator.gates.counting.edges import margin_edge
from pitwall_operator.gates.processes import further_edges
from pitwall_operator.values.observation import ProcessCounters


def gross_edges(gate: Gate, tail: TailEdges) -> tuple[float, float] | None:
    """Of the control and the candidate; none where that quantile has none, or it is beyond what is measured."""
    assert gate.quantile is not None
    known = (
        *zip(further_edges(gate), tail.further, strict=False),
        (gate.quantile.per_mille, (tail.control, tail.candidate)),
    )
    found = [edges for per_mille, edges in known if per_mille == grossness.per_mille(gate)]
    if not found:
        return None
    control, candidate = found[-1]
    edges = EDGES[gate.quantile.metric]
    limit = margin_edge(edges, grossness.FACTOR * candidate, 0)
    return (control, limit) if limit <= edges[-1] else None


def with_gross(source: ProcessCounters, gate: Gate, tail: TailEdges | None, run: Run, counts: Counts) -> Counts:
    """The counts with the trials beyond the control's own edge, and beyond the candidate's gross one."""
    edges = gross_edges(gate, tail) if gate.quantile and tail else None
    if edges is None or gate.quantile is None:
        return counts
    (control, candidate), quantity = edges, TIMES[gate.quantile.metric]
    at = EdgeTallies(
        control=beyond(source, quantity, control, **run.labels(Arm.CONTROL)),
        candidate=beyond(source, quantity, candidate, **run.labels(Arm.CANDIDATE)),
    )
    return replace(counts, gross=at)

"""Reads from gateways how many of the candidate's bad trials are one user's, so that one alone is no harm, and whom it
fails, so that nobody is left behind.

Pure: no clock, chance or I/O.
"""

import math
from collections.abc import Mapping
from dataclasses import replace

from pitwall_crds.names import MEAN, Arm, Label, Metric, Outcome
from pitwall_crds.rollout.gate import Gate, RateMetric
from pitwall_operator.evidence.basis.counts import Counts, OfOne, Tally, UsersServed
from pitwall_operator.gates.counting.counters import Run, TailEdges, edge_text, objective_edge, total
from pitwall_operator.gates.counting.gross import gross_edges
from pitwall_operator.gates.counting.spreads import quantity
from pitwall_operator.values.observation import ProcessCounters, Reading


def with_one_user(source: ProcessCounters, gate: Gate, tail: TailEdges | None, run: Run, counts: Counts) -> Counts:
    """The counts with what one user has of the candidate's bad trials; nothing where a gateway does not tell, as of
    opinions, or of means, which have no bad trials."""
    if gate.mean or not (name := quantity(gate)):
        return counts
    scope = {**run.labels(Arm.CANDIDATE), Label.QUANTITY: name}
    if gate.rate:
        bad = _of_one(source, scope, MEAN)
        return replace(counts, of_one=OfOne(bad, bad if gate.objective else 0))
    if tail is None:
        return counts
    gross = gross_edges(gate, tail)
    edges = (tail.candidate, objective_edge(gate), gross[1] if gross else math.inf)
    return replace(counts, of_one=OfOne(*(_of_one(source, scope, edge_text(edge)) for edge in edges)))


def _of_one(source: ProcessCounters, scope: Mapping[str, str], edge: str) -> int:
    return round(total(source, Metric.EVIDENCE_ONE_USER, **scope, **{Label.EDGE: edge}))


def served(reading: Reading, gate: Gate, run: Run) -> UsersServed:
    """Whom both arms fail so far, for a gate on errors. Who asks several gateways counts in each."""
    if not (gate.rate and gate.rate.metric is RateMetric.ERRORS):
        return UsersServed()
    return UsersServed(*(_served(reading, run.labels(arm)) for arm in (Arm.CONTROL, Arm.CANDIDATE)))


def _served(reading: Reading, scope: Mapping[str, str]) -> Tally:
    failed, others = (
        sum(
            round(total(source, Metric.EVIDENCE_SERVED, **scope, **{Label.OUTCOME: outcome}))
            for source in reading.sources.values()
        )
        for outcome in (Outcome.ERROR, Outcome.OK)
    )
    return Tally(failed + others, failed)

"""Reads from gateways what users differ by, of whatever a gate weighs by query.

Pure: no clock, chance or I/O.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from pitwall_crds.names import MEAN, Arm, CacheResult, ErrorUnit, Label, Metric, Outcome
from pitwall_crds.rollout.gate import Gate, RateMetric, Unit
from pitwall_operator.evidence.basis.counts import Counts, EdgeTallies, Tally
from pitwall_operator.evidence.basis.spread import ArmsSpread, SpreadPart, UserSpread
from pitwall_operator.gates.counting.counters import MEANS, TIMES, Run, TailEdges, edge_text, select
from pitwall_operator.values.observation import ProcessCounters, Reading

RATES: Final = {RateMetric.ERRORS: Outcome.ERROR, RateMetric.COLD_QUERIES: CacheResult.COLD}
"""Rates of what queries show themselves, by the quantity under which gateways tell what users differ by."""


def quantity(gate: Gate) -> str:
    """Of what gateways tell what users differ by; empty where they do not."""
    if gate.quantile:
        return TIMES[gate.quantile.metric]
    if gate.mean:
        return MEANS[gate.mean.metric]
    assert gate.rate is not None
    return RATES.get(gate.rate.metric, "") if gate.rate.trial is Unit.QUERY else ""


def spreads(
    reading: Reading, gate: Gate, tail: TailEdges | None, run: Run, rows: Mapping[str, Counts]
) -> tuple[ArmsSpread, ...]:
    """What users differ by at the gate's own edge and at further ones; `rows` are the gate's counts by gateway."""
    name = quantity(gate)
    if not name or (gate.quantile and tail is None):
        return ()
    edges = ((tail.control, tail.candidate), *tail.further) if tail else (None,)
    return tuple(
        ArmsSpread(
            *(
                UserSpread.pooled(
                    _parts(reading, name, edge_text(one[place]) if one else MEAN, rows, (run, arm, index))
                )
                for place, arm in enumerate((Arm.CONTROL, Arm.CANDIDATE))
            )
        )
        for index, one in enumerate(edges)
    )


def _parts(
    reading: Reading, name: str, edge: str, rows: Mapping[str, Counts], of: tuple[Run, Arm, int]
) -> Iterator[SpreadPart]:
    """What each gateway tells of one arm at one edge."""
    run, arm, index = of
    for identity, counts in rows.items():
        source = reading.sources[identity]
        scope = {**run.labels(arm), Label.QUANTITY: name}
        at = {**scope, Label.EDGE: edge}
        of_trials, of_users, *of_most = (
            _gauge(source, Metric.EVIDENCE_ERROR, {**at, Label.UNIT: unit}) for unit in ErrorUnit
        )
        users, shift = _gauge(source, Metric.EVIDENCE_USERS, scope), _gauge(source, Metric.EVIDENCE_SHIFT, at)
        trials = _of_arm(counts, arm, index).trials
        yield SpreadPart(trials, of_trials or 0.0, of_users or 0.0, users or 0.0, shift or 0.0, *of_most)


def _of_arm(counts: Counts, arm: Arm, index: int) -> Tally:
    at = counts.edges[index - 1] if index else EdgeTallies(counts.control, counts.candidate)
    return at.control if arm is Arm.CONTROL else at.candidate


def _gauge(source: ProcessCounters, name: str, labels: Mapping[str, str]) -> float | None:
    """What a gateway shows; None for nothing."""
    return next((value for _, value in select(source, name, **labels)), None)

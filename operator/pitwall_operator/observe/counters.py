"""Cumulative counters of many processes in, counts per gate since the last block out. Pure."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pitwall_crds import names
from pitwall_crds.gate import Gate, MeanMetric, QuantileMetric, RateMetric, Unit
from pitwall_crds.names import Arm, CacheResult, Label, Metric, Outcome, Signal
from pitwall_operator.evidence.counts import Counts, Pairs, Tally
from pitwall_operator.observation import Reading, Source

Totals = tuple[Tally, Tally, Pairs]
"""One gate's cumulative counts: control, candidate, shadow pairs."""

CURSOR_SOURCES = 64
"""How many processes a cursor remembers; the oldest are forgotten first."""

SIGNALS = {
    RateMetric.THUMBS_DOWN: Signal.THUMBS_DOWN,
    RateMetric.FOLLOW_UP: Signal.FOLLOW_UP,
    RateMetric.TASK_ABANDONED: Signal.TASK_ABANDONED,
}

HISTOGRAMS = {
    QuantileMetric.QUERY_LATENCY: Metric.QUERY_LATENCY,
    QuantileMetric.FRAME_SELECTION: Metric.FRAME_SELECTION,
}

EDGES: Mapping[QuantileMetric, Sequence[float]] = {
    QuantileMetric.QUERY_LATENCY: names.LATENCY_EDGES,
    QuantileMetric.FRAME_SELECTION: names.SELECTION_EDGES,
}


@dataclass(frozen=True, slots=True)
class TailEdges:
    """Frozen thresholds of a quantile gate, in the metric's unit: beyond these a query counts as bad."""

    control: float
    candidate: float


def select(source: Source, name: str, **labels: str) -> Iterator[tuple[Mapping[str, str], float]]:
    """Samples of one name whose labels include the given ones."""
    wanted = labels.items()
    for found, value in source.samples.get(name, ()):
        if wanted <= found.items():
            yield found, value


def total(source: Source, name: str, **labels: str) -> float:
    """Sum of the samples of one name whose labels include the given ones."""
    return sum(value for _, value in select(source, name, **labels))


def cumulative(source: Source, metric: str, edges: Sequence[float], **labels: str) -> tuple[float, ...]:
    """Observations at or below each edge, and last all of them; len(edges) + 1 numbers."""
    counts = dict.fromkeys((*edges, math.inf), 0.0)
    for found, value in select(source, f"{metric}_bucket", **labels):
        edge = float(found["le"])
        if edge in counts:
            counts[edge] += value
    return tuple(counts.values())


def beyond(source: Source, metric: str, edge: float, **labels: str) -> Tally:
    """Observations of a histogram, and how many of them were above a bucket edge."""
    all_of_them = total(source, f"{metric}_count", **labels)
    below = sum(value for found, value in select(source, f"{metric}_bucket", **labels) if float(found["le"]) == edge)
    return Tally(trials=round(all_of_them), bad=round(all_of_them - below))


def _rate(source: Source, gate: Gate, arm: Mapping[str, str]) -> Tally:
    assert gate.rate is not None
    scope = dict(arm)
    bad: dict[str, str] = {Label.OUTCOME: Outcome.BAD}
    match gate.rate.metric:
        case RateMetric.ERRORS:
            name = Metric.QUERIES
            bad = {Label.OUTCOME: Outcome.ERROR}
        case RateMetric.COLD_QUERIES:
            name = Metric.CACHE_QUERIES
            bad = {Label.RESULT: CacheResult.COLD}
        case quality:
            name = Metric.QUALITY
            unit = "session" if gate.rate.unit is Unit.SESSION else "query"
            scope |= {Label.SIGNAL: SIGNALS[quality], Label.UNIT: unit}
    return Tally(
        trials=round(total(source, name, **scope)),
        bad=round(total(source, name, **scope, **bad)),
    )


def _tally(source: Source, gate: Gate, tail: TailEdges | None, *, arm: Arm, variant: str) -> Tally:
    scope: dict[str, str] = {Label.SAMPLER_VARIANT: variant, Label.ARM: arm}
    if gate.rate is not None:
        return _rate(source, gate, scope)
    if gate.mean is not None:
        name = {MeanMetric.TOKENS_PER_QUERY: Metric.TOKENS_PER_QUERY}[gate.mean.metric]
        return Tally(trials=round(total(source, f"{name}_count", **scope)), total=total(source, f"{name}_sum", **scope))
    assert gate.quantile is not None
    if tail is None:
        return Tally()
    edge = tail.candidate if arm is Arm.CANDIDATE else tail.control
    return beyond(source, HISTOGRAMS[gate.quantile.metric], edge, **scope)


def ratio_edge(margin_percent: int) -> float:
    """The smallest edge of the shadow ratio histograms that is at least the margin."""
    return min((edge for edge in names.RATIO_EDGES if edge >= 1 + margin_percent / 100), default=names.RATIO_EDGES[-1])


def _ratio_pairs(source: Source, metric: str, margin_percent: int, scope: Mapping[str, str]) -> Pairs:
    edge = ratio_edge(max(margin_percent, 5))
    worse = beyond(source, metric, edge, **scope)
    not_better = beyond(source, metric, round(1 / edge, 4), **scope)
    return Pairs(total=worse.trials, worse=worse.bad, better=not_better.trials - not_better.bad)


def _pairs(source: Source, gate: Gate, variant: str) -> Pairs:
    scope: dict[str, str] = {Label.SAMPLER_VARIANT: variant}
    if gate.quantile is not None and gate.quantile.metric is QuantileMetric.QUERY_LATENCY:
        return _ratio_pairs(source, Metric.SHADOW_LATENCY_RATIO, gate.margin_percent, scope)
    if gate.mean is not None:
        return _ratio_pairs(source, Metric.SHADOW_TOKENS_RATIO, gate.margin_percent, scope)
    if gate.rate is not None and gate.rate.metric is RateMetric.ERRORS:
        pairs = total(source, Metric.SHADOW_PAIRS, **scope)
        failed = total(source, Metric.SHADOW_PAIRS, **{**scope, Label.OUTCOME: Outcome.ERROR})
        return Pairs(total=round(pairs), worse=round(failed), better=0)
    return Pairs()


def measurable_in_shadow(gate: Gate) -> bool:
    """Whether copies of questions say anything about this gate; users' reactions they cannot."""
    if gate.quantile is not None:
        return gate.quantile.metric is QuantileMetric.QUERY_LATENCY
    return gate.mean is not None or (gate.rate is not None and gate.rate.metric is RateMetric.ERRORS)


def totals(source: Source, gate: Gate, tail: TailEdges | None, *, stable: str, candidate: str) -> Totals:
    """One gate's cumulative counts in one process."""
    return (
        _tally(source, gate, tail, arm=Arm.CONTROL, variant=stable),
        _tally(source, gate, tail, arm=Arm.CANDIDATE, variant=candidate),
        _pairs(source, gate, candidate),
    )


def tail_history(reading: Reading, metric: QuantileMetric, variant: str) -> tuple[int, ...]:
    """The variant's cumulative histogram over all processes and every arm on which users waited for it."""
    columns = [
        cumulative(
            source, HISTOGRAMS[metric], EDGES[metric], **{Label.SAMPLER_VARIANT: variant, Label.ARM: arm}
        )
        for source in reading.sources.values()
        for arm in (Arm.STABLE, Arm.CONTROL, Arm.CANDIDATE)
    ]  # fmt: skip
    return tuple(round(sum(column)) for column in zip(*columns, strict=True))


def queries(gate: Gate, tail: TailEdges | None, *, stable: str, candidate: str) -> tuple[str, ...]:
    """What is read for a gate, as Prometheus selectors: the control's series, the candidate's, and the pairs'."""
    arms = ((Arm.CONTROL, stable), (Arm.CANDIDATE, candidate))
    if gate.quantile is not None:
        edges = (tail.control, tail.candidate) if tail else ("not frozen yet",) * 2
        name = f"{HISTOGRAMS[gate.quantile.metric]}_bucket"
        texts = [
            f'{name}{{sampler_variant="{variant}",arm="{arm}",le="{edge}"}}'
            for (arm, variant), edge in zip(arms, edges, strict=True)
        ]
    else:
        metric = gate.rate.metric if gate.rate else gate.mean and gate.mean.metric
        texts = [f'{metric}{{sampler_variant="{variant}",arm="{arm}"}}' for arm, variant in arms]
    if measurable_in_shadow(gate):
        texts.append(f'shadow pairs{{sampler_variant="{candidate}"}} beyond {ratio_edge(max(gate.margin_percent, 5))}')
    return tuple(texts)


# --- cursor: cumulative counts at the end of the last block, per process and gate ---

Cursor = Mapping[str, Mapping[str, Sequence[float]]]


def _flatten(counts: Totals) -> list[float]:
    control, candidate, pairs = counts
    return [
        control.trials, control.bad, control.total,
        candidate.trials, candidate.bad, candidate.total,
        pairs.total, pairs.worse, pairs.better,
    ]  # fmt: skip


def _since(now: Sequence[float], before: Sequence[float]) -> list[float]:
    """Growth of counters; a counter that fell was reset, so all it shows is new (Prometheus' rule)."""
    return [value if value < earlier else value - earlier for value, earlier in zip(now, before, strict=True)]


def _unflatten(row: Sequence[float]) -> Counts:
    counts = [round(value) for value in row]
    return Counts(
        control=Tally(trials=counts[0], bad=counts[1], total=row[2]),
        candidate=Tally(trials=counts[3], bad=counts[4], total=row[5]),
        pairs=Pairs(total=counts[6], worse=counts[7], better=counts[8]),
    )


def _before(
    known: Mapping[str, Sequence[float]] | None, gate: str, row: Sequence[float], *, younger_than_run: bool
) -> Sequence[float]:
    """What a process had counted before this block: what the cursor says; zero for a process that began during
    the run; else what it shows now, since nobody knows how much of that belongs to the run."""
    if known is None:
        return [0.0] * len(row) if younger_than_run else row
    return known.get(gate, row)


def advance(
    cursor: Cursor, rows: Mapping[str, Mapping[str, Totals]], reading: Reading, *, run_start: float
) -> tuple[dict[str, Any], dict[str, Counts]]:
    """The next cursor, and each gate's counts since the given one, summed over processes.

    Args:
        cursor: counts at the end of the last block, by source and gate.
        rows: counts now, by source and gate.
        reading: where the rows come from.
        run_start: when the candidate's run began, epoch seconds.
    """
    following: dict[str, Any] = dict(cursor)
    grown: dict[str, list[float]] = {}
    for identity, gates in rows.items():
        younger = reading.sources[identity].start_time > run_start
        for gate, counts in gates.items():
            row = _flatten(counts)
            before = _before(cursor.get(identity), gate, row, younger_than_run=younger)
            grown[gate] = [a + b for a, b in zip(grown.get(gate, [0.0] * len(row)), _since(row, before), strict=True)]
        following[identity] = {gate: _flatten(counts) for gate, counts in gates.items()}
    kept = dict(list(following.items())[-CURSOR_SOURCES:])
    return kept, {gate: _unflatten(row) for gate, row in grown.items()}

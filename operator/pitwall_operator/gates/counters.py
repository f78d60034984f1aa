"""Turns the cumulative Prometheus counters of many processes into each gate's counts since the last block.

Pure: no clock, chance or I/O.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pitwall_crds import names
from pitwall_crds.gate import Gate, MeanMetric, QuantileMetric, RateMetric
from pitwall_crds.names import Arm, CacheResult, Label, Metric, Outcome, Signal
from pitwall_operator.evidence.counts import Counts, Pairs, Tally
from pitwall_operator.values.observation import ProcessCounters, Reading

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

MEANS = {
    MeanMetric.TOKENS_PER_QUERY: (f"{Metric.TOKENS_PER_QUERY}_sum", f"{Metric.TOKENS_PER_QUERY}_count"),
    MeanMetric.FRAME_SELECTION: (f"{Metric.FRAME_SELECTION}_sum", f"{Metric.FRAME_SELECTION}_count"),
    MeanMetric.ENCODER_UTILIZATION: (Metric.ENCODER_BUSY, f"{Metric.TOKENS_PER_QUERY}_count"),
}
"""What is added up, and what it is divided by."""

EDGES: Mapping[QuantileMetric, Sequence[float]] = {
    QuantileMetric.QUERY_LATENCY: names.LATENCY_EDGES,
    QuantileMetric.FRAME_SELECTION: names.SELECTION_EDGES,
}


@dataclass(frozen=True, slots=True)
class TailEdges:
    """Frozen thresholds of a quantile gate, in the metric's unit: beyond these a query counts as bad."""

    control: float
    candidate: float


def select(source: ProcessCounters, name: str, **labels: str) -> Iterator[tuple[Mapping[str, str], float]]:
    """Samples of one name whose labels include the given ones."""
    wanted = labels.items()
    for found, value in source.samples.get(name, ()):
        if wanted <= found.items():
            yield found, value


def total(source: ProcessCounters, name: str, **labels: str) -> float:
    """Sum of the samples of one name whose labels include the given ones."""
    return sum(value for _, value in select(source, name, **labels))


def cumulative(source: ProcessCounters, metric: str, edges: Sequence[float], **labels: str) -> tuple[float, ...]:
    """Observations at or below each edge, and last all of them; len(edges) + 1 numbers."""
    counts = dict.fromkeys((*edges, math.inf), 0.0)
    for found, value in select(source, f"{metric}_bucket", **labels):
        edge = float(found["le"])
        if edge in counts:
            counts[edge] += value
    return tuple(counts.values())


def beyond(source: ProcessCounters, metric: str, edge: float, **labels: str) -> Tally:
    """Observations of a histogram, and how many of them were above a bucket edge."""
    all_of_them = total(source, f"{metric}_count", **labels)
    below = sum(value for found, value in select(source, f"{metric}_bucket", **labels) if float(found["le"]) == edge)
    return Tally(trials=round(all_of_them), bad=round(all_of_them - below))


def _rate_series(gate: Gate) -> tuple[str, dict[str, str], dict[str, str]]:
    """Of a rate: the metric's name, the labels of its trials, and the further labels of bad ones."""
    assert gate.rate is not None
    match gate.rate.metric:
        case RateMetric.ERRORS:
            return Metric.QUERIES, {}, {Label.OUTCOME: Outcome.ERROR}
        case RateMetric.COLD_QUERIES:
            return Metric.CACHE_QUERIES, {}, {Label.RESULT: CacheResult.COLD}
        case quality:
            trials: dict[str, str] = {Label.SIGNAL: SIGNALS[quality], Label.UNIT: gate.rate.unit.lower()}
            return Metric.QUALITY, trials, {Label.OUTCOME: Outcome.BAD}


def objective_edge(gate: Gate) -> float:
    """The bucket edge beyond which a query misses the gate's absolute objective; infinity without one."""
    rule = gate.quantile
    if rule is None or not rule.objective_milliseconds:
        return math.inf
    return next((edge for edge in EDGES[rule.metric] if edge >= rule.objective_milliseconds / 1000), math.inf)


def _tally(source: ProcessCounters, gate: Gate, edge: float, *, arm: Arm, variant: str) -> Tally:
    """One arm's trials; `edge` is where a quantile gate's bad ones begin."""
    scope: dict[str, str] = {Label.SAMPLER_VARIANT: variant, Label.ARM: arm}
    if gate.rate is not None:
        name, trials, bad = _rate_series(gate)
        scope |= trials
        return Tally(round(total(source, name, **scope)), round(total(source, name, **scope, **bad)))
    if gate.mean is not None:
        value, count = MEANS[gate.mean.metric]
        return Tally(trials=round(total(source, count, **scope)), total=total(source, value, **scope))
    assert gate.quantile is not None
    return beyond(source, HISTOGRAMS[gate.quantile.metric], edge, **scope)


def _objective(source: ProcessCounters, gate: Gate, variant: str) -> Tally:
    if not gate.objective:
        return Tally()
    return _tally(source, gate, objective_edge(gate), arm=Arm.CANDIDATE, variant=variant)


def ratio_edge(margin_percent: int) -> float:
    """The smallest edge of the shadow ratio histograms that is at least the margin."""
    return min((edge for edge in names.RATIO_EDGES if edge >= 1 + margin_percent / 100), default=names.RATIO_EDGES[-1])


def _ratio_pairs(source: ProcessCounters, metric: str, margin_percent: int, scope: Mapping[str, str]) -> Pairs:
    edge = ratio_edge(max(margin_percent, 5))
    worse = beyond(source, metric, edge, **scope)
    not_better = beyond(source, metric, round(1 / edge, 4), **scope)
    return Pairs(total=worse.trials, worse=worse.bad, better=not_better.trials - not_better.bad)


def _pairs(source: ProcessCounters, gate: Gate, variant: str) -> Pairs:
    scope: dict[str, str] = {Label.SAMPLER_VARIANT: variant}
    if gate.quantile is not None and gate.quantile.metric is QuantileMetric.QUERY_LATENCY:
        return _ratio_pairs(source, Metric.SHADOW_LATENCY_RATIO, gate.margin_percent, scope)
    if gate.mean is not None and gate.mean.metric is MeanMetric.TOKENS_PER_QUERY:
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
    if gate.mean is not None:
        return gate.mean.metric is MeanMetric.TOKENS_PER_QUERY
    return gate.rate is not None and gate.rate.metric is RateMetric.ERRORS


def totals(source: ProcessCounters, gate: Gate, tail: TailEdges | None, *, stable: str, candidate: str) -> Counts:
    """One gate's cumulative counts in one process; a quantile gate without thresholds has none."""
    if gate.quantile is not None and tail is None:
        return Counts(pairs=_pairs(source, gate, candidate))
    control, tried = (tail.control, tail.candidate) if tail else (math.inf, math.inf)
    return Counts(
        control=_tally(source, gate, control, arm=Arm.CONTROL, variant=stable),
        candidate=_tally(source, gate, tried, arm=Arm.CANDIDATE, variant=candidate),
        pairs=_pairs(source, gate, candidate),
        stable=_tally(source, gate, control, arm=Arm.STABLE, variant=stable),
        objective=_objective(source, gate, candidate),
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


def _selector(name: str, **labels: str) -> str:
    matchers = ",".join(f'{label}="{value}"' for label, value in labels.items())
    return f"{name}{{{matchers}}}"


def _read(gate: Gate, edge: str, scope: Mapping[str, str]) -> Iterator[str]:
    """What is read of one arm."""
    if gate.quantile is not None:
        yield _selector(f"{HISTOGRAMS[gate.quantile.metric]}_bucket", **scope, le=edge)
    elif gate.mean is not None:
        yield from (_selector(name, **scope) for name in MEANS[gate.mean.metric])
    else:
        name, trials, bad = _rate_series(gate)
        yield _selector(name, **scope, **trials, **bad)


def queries(gate: Gate, tail: TailEdges | None, *, stable: str, candidate: str) -> tuple[str, ...]:
    """What is read for a gate, as Prometheus selectors: the series of bad trials or sums of control, candidate and
    stable, then the objective's and the pairs'. Trials are the same series without the last label, or their count."""
    unknown = "not frozen yet"
    control, tried = (str(tail.control), str(tail.candidate)) if tail else (unknown, unknown)
    arms = ((Arm.CONTROL, stable, control), (Arm.CANDIDATE, candidate, tried), (Arm.STABLE, stable, control))
    texts = [
        text
        for arm, variant, edge in arms
        for text in _read(gate, edge, {Label.SAMPLER_VARIANT: variant, Label.ARM: arm})
    ]
    if gate.quantile and gate.objective:
        scope: dict[str, str] = {Label.SAMPLER_VARIANT: candidate, Label.ARM: Arm.CANDIDATE}
        texts += _read(gate, str(objective_edge(gate)), scope)
    if measurable_in_shadow(gate):
        texts.append(f'shadow pairs{{sampler_variant="{candidate}"}} beyond {ratio_edge(max(gate.margin_percent, 5))}')
    return tuple(texts)


# --- cursor: cumulative counts at the end of the last block, per process and gate ---

Cursor = Mapping[str, Mapping[str, Sequence[float]]]
ARMS = 4
"""Tallies in a row: control, candidate, stable, objective."""


def _flatten(counts: Counts) -> list[float]:
    arms = (counts.control, counts.candidate, counts.stable, counts.objective)
    pairs = counts.pairs
    return [
        *(value for arm in arms for value in (arm.trials, arm.bad, arm.total)),
        pairs.total, pairs.worse, pairs.better,
    ]  # fmt: skip


def _since(now: Sequence[float], before: Sequence[float]) -> list[float]:
    """Growth of counters; a counter that fell was reset, so all it shows is new (Prometheus' rule)."""
    return [value if value < earlier else value - earlier for value, earlier in zip(now, before, strict=True)]


def _unflatten(row: Sequence[float]) -> Counts:
    control, candidate, stable, objective = (
        Tally(round(row[at]), round(row[at + 1]), row[at + 2]) for at in range(0, 3 * ARMS, 3)
    )
    pairs = Pairs(*(round(value) for value in row[3 * ARMS :]))
    return Counts(control, candidate, pairs, stable, objective)


def _awaited(row: Sequence[float], before: Sequence[float]) -> list[float]:
    """The row, with values taken back whose trial has not been counted yet: the encoder works for a question before the
    question is answered, and a block must hold both or neither."""
    kept = list(row)
    for at in range(0, 3 * ARMS, 3):
        if row[at] == before[at] and row[at + 2] > before[at + 2]:
            kept[at + 2] = before[at + 2]
    return kept


def _before(
    known: Mapping[str, Sequence[float]] | None, gate: str, row: Sequence[float], *, younger_than_run: bool
) -> Sequence[float]:
    """What a process had counted before this block: what the cursor says; zero for a process that began during
    the run; else what it shows now, since nobody knows how much of that belongs to the run."""
    if known is None:
        return [0.0] * len(row) if younger_than_run else row
    before = known.get(gate, row)
    return before if len(before) == len(row) else row


def advance(
    cursor: Cursor, rows: Mapping[str, Mapping[str, Counts]], reading: Reading, *, run_start: float
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
        following[identity] = {}
        for gate, counts in gates.items():
            row = _flatten(counts)
            before = _before(cursor.get(identity), gate, row, younger_than_run=younger)
            row = _awaited(row, before)
            grown[gate] = [a + b for a, b in zip(grown.get(gate, [0.0] * len(row)), _since(row, before), strict=True)]
            following[identity][gate] = row
    kept = dict(list(following.items())[-CURSOR_SOURCES:])
    return kept, {gate: _unflatten(row) for gate, row in grown.items()}

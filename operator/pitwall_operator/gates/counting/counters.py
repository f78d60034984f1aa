"""Reads from a gateway's counters what each gate weighs: both arms, stable, and the pairs of the shadow, of one run.

Pure: no clock, chance or I/O.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from prometheus_client.utils import floatToGoString

from pitwall_crds.edges import LATENCY_EDGES, RATIO_EDGES, SELECTION_EDGES
from pitwall_crds.names import Arm, CacheResult, Label, Metric, Outcome, Quantity, Signal, TrialKind, opinion_kind
from pitwall_crds.rollout.gate import Gate, MeanMetric, QuantileMetric, RateMetric
from pitwall_operator.evidence.basis.counts import Abandoned, Counts, EdgeTallies, Pairs, Tally
from pitwall_operator.gates.processes import sees_who_leaves
from pitwall_operator.values.observation import ProcessCounters, Reading

SIGNALS = {
    RateMetric.THUMBS_DOWN: Signal.THUMBS_DOWN,
    RateMetric.FOLLOW_UP: Signal.FOLLOW_UP,
    RateMetric.TASK_ABANDONED: Signal.TASK_ABANDONED,
}

HISTOGRAMS = {
    QuantileMetric.QUERY_LATENCY: Metric.HISTORY_LATENCY,
    QuantileMetric.FRAME_SELECTION: Metric.HISTORY_SELECTION,
}
"""Where the history of a quantile is, over all runs; what gates weigh is counted by run. Of a gateway that is too old
to tell it nothing is taken in its place: what is for people, one user alone may have set."""

TIMES = {
    QuantileMetric.QUERY_LATENCY: Quantity.LATENCY,
    QuantileMetric.FRAME_SELECTION: Quantity.SELECTION,
}

MEANS = {
    MeanMetric.TOKENS_PER_QUERY: Quantity.TOKENS,
    MeanMetric.FRAME_SELECTION: Quantity.SELECTION,
    MeanMetric.ENCODER_UTILIZATION: Quantity.ENCODER,
}

EDGES: Mapping[QuantileMetric, Sequence[float]] = {
    QuantileMetric.QUERY_LATENCY: LATENCY_EDGES,
    QuantileMetric.FRAME_SELECTION: SELECTION_EDGES,
}


@dataclass(frozen=True, slots=True)
class TailEdges:
    """Frozen thresholds of a quantile gate, in the metric's unit: beyond these a query counts as bad.

    `further` are those at lower quantiles, for the control and the candidate.
    """

    control: float
    candidate: float
    further: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Run:
    """Whose counters are read: the variants that are compared, and the id of their run."""

    stable: str
    candidate: str
    id: str

    def labels(self, arm: Arm) -> dict[str, str]:
        """The labels of one arm's series."""
        variant = self.candidate if arm in (Arm.CANDIDATE, Arm.SHADOW) else self.stable
        return {Label.SAMPLER_VARIANT: variant, Label.ARM: arm, Label.RUN: self.id}


def select(source: ProcessCounters, name: str, **labels: str) -> Sequence[tuple[Mapping[str, str], float]]:
    """Samples of one name whose labels include the given ones."""
    return source.having(name, labels)


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


@lru_cache(maxsize=1024)
def edge_text(edge: float) -> str:
    """An edge as gateways spell it."""
    text: str = floatToGoString(edge)  # type: ignore[no-untyped-call]
    return text


def beyond(source: ProcessCounters, quantity: Quantity, edge: float, **labels: str) -> Tally:
    """Trials of which it is known on which side of an edge they are, and those beyond it."""
    scope = {**labels, Label.QUANTITY: quantity, Label.EDGE: edge_text(edge)}
    bad = round(total(source, Metric.EVIDENCE_BEYOND, **scope))
    return Tally(trials=bad + round(total(source, Metric.EVIDENCE_WITHIN, **scope)), bad=bad)


def _rate_series(gate: Gate) -> tuple[str, dict[str, str], dict[str, str]]:
    """Of a rate: the metric's name, the labels of its trials, and the further labels of bad ones."""
    assert gate.rate is not None
    match gate.rate.metric:
        case RateMetric.ERRORS:
            return Metric.EVIDENCE_QUERIES, {}, {Label.OUTCOME: Outcome.ERROR}
        case RateMetric.COLD_QUERIES:
            return Metric.EVIDENCE_CACHE_QUERIES, {}, {Label.RESULT: CacheResult.COLD}
        case quality:
            trials: dict[str, str] = {Label.SIGNAL: SIGNALS[quality], Label.UNIT: gate.rate.trial.lower()}
            return Metric.EVIDENCE_QUALITY, trials, {Label.OUTCOME: Outcome.BAD}


def trial_kind(gate: Gate) -> str:
    """What the gate's trials are to a gateway that counts whose they are."""
    signal = SIGNALS.get(gate.rate.metric) if gate.rate else None
    return opinion_kind(signal, gate.rate.trial.lower()) if gate.rate and signal else TrialKind.QUESTION


def objective_edge(gate: Gate) -> float:
    """The bucket edge beyond which a query misses the gate's absolute objective; infinity without one."""
    rule = gate.quantile
    if rule is None or not rule.objective_milliseconds:
        return math.inf
    return next((edge for edge in EDGES[rule.metric] if edge >= rule.objective_milliseconds / 1000), math.inf)


def _tally(source: ProcessCounters, gate: Gate, edge: float, scope: dict[str, str]) -> Tally:
    """One arm's trials; `edge` is where a quantile gate's bad ones begin."""
    if gate.rate is not None:
        name, trials, bad = _rate_series(gate)
        return Tally(
            round(total(source, name, **scope, **trials)), round(total(source, name, **scope, **trials, **bad))
        )
    if gate.mean is not None:
        quantity = {Label.QUANTITY: MEANS[gate.mean.metric]}
        count = round(total(source, Metric.EVIDENCE_VALUED, **scope, **quantity))
        return Tally(trials=count, total=total(source, Metric.EVIDENCE_VALUE, **scope, **quantity))
    assert gate.quantile is not None
    return beyond(source, TIMES[gate.quantile.metric], edge, **scope)


def of_variant(source: ProcessCounters, gate: Gate, variant: str, arms: Sequence[Arm]) -> Tally:
    """What a gate on a rate or a mean would have counted of a variant on these arms, in all runs still known."""
    scopes: list[dict[str, str]] = [{Label.SAMPLER_VARIANT: variant, Label.ARM: arm} for arm in arms]
    return sum((_tally(source, gate, math.inf, scope) for scope in scopes), start=Tally())


def _further(source: ProcessCounters, gate: Gate, tail: TailEdges | None, run: Run) -> tuple[EdgeTallies, ...]:
    return tuple(
        EdgeTallies(
            control=_tally(source, gate, control, run.labels(Arm.CONTROL)),
            candidate=_tally(source, gate, candidate, run.labels(Arm.CANDIDATE)),
            stable=_tally(source, gate, control, run.labels(Arm.STABLE)),
        )
        for control, candidate in (tail.further if tail else ())
    )


def ratio_edge(margin_percent: int) -> float:
    """The smallest edge of the shadow's ratios that is at least the margin."""
    return min((edge for edge in RATIO_EDGES if edge >= 1 + margin_percent / 100), default=RATIO_EDGES[-1])


def _ratio_pairs(source: ProcessCounters, quantity: Quantity, margin_percent: int, scope: Mapping[str, str]) -> Pairs:
    edge = ratio_edge(max(margin_percent, 5))
    labels = {**scope, Label.QUANTITY: quantity}
    pairs = round(total(source, Metric.EVIDENCE_RATIOS, **labels))
    not_worse, better = (
        round(total(source, Metric.EVIDENCE_RATIO_WITHIN, **labels, **{Label.EDGE: edge_text(at)}))
        for at in (edge, round(1 / edge, 4))
    )
    # These are series of their own: a scrape between their increments must not show more than all.
    worse = max(pairs - not_worse, 0)
    return Pairs(total=pairs, worse=worse, better=min(better, pairs - worse))


def abandoned(source: ProcessCounters, edge: float, scope: Mapping[str, str]) -> int:
    """Questions of an arm whose callers left before they had waited beyond an edge."""
    return round(total(source, Metric.EVIDENCE_ABANDONED, **scope, **{Label.EDGE: edge_text(edge)}))


def _abandoned(source: ProcessCounters, gate: Gate, tail: TailEdges | None, run: Run) -> Abandoned:
    if not sees_who_leaves(gate):
        return Abandoned()
    edge, own = (tail.control, tail.candidate) if tail else (math.inf, math.inf)
    control, candidate, stable, copies = map(run.labels, (Arm.CONTROL, Arm.CANDIDATE, Arm.STABLE, Arm.SHADOW))
    left = abandoned(source, own, candidate)
    late = max(left - abandoned(source, edge, candidate), 0)
    excused = [round(total(source, Metric.EVIDENCE_EXCUSED, **each)) for each in (candidate, copies)]
    return Abandoned(abandoned(source, edge, control), left, abandoned(source, edge, stable), late, *excused)


def _caches(source: ProcessCounters, run: Run) -> EdgeTallies:
    def arm(name: Arm) -> Tally:
        scope = run.labels(name)
        asked = round(total(source, Metric.EVIDENCE_CACHE_QUERIES, **scope))
        return Tally(asked, round(total(source, Metric.EVIDENCE_CACHE_QUERIES, **scope, result=CacheResult.COLD)))

    return EdgeTallies(arm(Arm.CONTROL), arm(Arm.CANDIDATE), arm(Arm.STABLE))


def _pairs(source: ProcessCounters, gate: Gate, run: Run) -> Pairs:
    scope = run.labels(Arm.SHADOW)
    if gate.quantile is not None and gate.quantile.metric is QuantileMetric.QUERY_LATENCY:
        return _ratio_pairs(source, Quantity.LATENCY, gate.margin_percent, scope)
    if gate.mean is not None and gate.mean.metric is MeanMetric.TOKENS_PER_QUERY:
        return _ratio_pairs(source, Quantity.TOKENS, gate.margin_percent, scope)
    if gate.rate is not None and gate.rate.metric is RateMetric.ERRORS:
        pairs = total(source, Metric.EVIDENCE_PAIRS, **scope)
        failed = total(source, Metric.EVIDENCE_PAIRS, **scope, **{Label.OUTCOME: Outcome.ERROR})
        return Pairs(total=round(pairs), worse=round(failed), better=0)
    return Pairs()


def measurable_in_shadow(gate: Gate) -> bool:
    """Whether copies of questions say anything about this gate; users' reactions they cannot."""
    if gate.quantile is not None:
        return gate.quantile.metric is QuantileMetric.QUERY_LATENCY
    if gate.mean is not None:
        return gate.mean.metric is MeanMetric.TOKENS_PER_QUERY
    return gate.rate is not None and gate.rate.metric is RateMetric.ERRORS


def totals(source: ProcessCounters, gate: Gate, tail: TailEdges | None, run: Run) -> Counts:
    """One gate's cumulative counts of a run in one process; a quantile gate without thresholds has none."""
    pairs = _pairs(source, gate, run)
    if gate.quantile is not None and tail is None:
        return Counts(pairs=pairs)
    control, tried = (tail.control, tail.candidate) if tail else (math.inf, math.inf)
    candidate = run.labels(Arm.CANDIDATE)
    return Counts(
        control=_tally(source, gate, control, run.labels(Arm.CONTROL)),
        candidate=_tally(source, gate, tried, candidate),
        pairs=pairs,
        stable=_tally(source, gate, control, run.labels(Arm.STABLE)),
        objective=_tally(source, gate, objective_edge(gate), candidate) if gate.objective else Tally(),
        edges=_further(source, gate, tail, run),
        abandoned=_abandoned(source, gate, tail, run),
        caches=_caches(source, run) if gate.is_about_pods else EdgeTallies(),
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
        quantity = TIMES[gate.quantile.metric]
        yield _selector(Metric.EVIDENCE_BEYOND, **scope, quantity=quantity, edge=edge)
    elif gate.mean is not None:
        for series in (Metric.EVIDENCE_VALUE, Metric.EVIDENCE_VALUED):
            yield _selector(series, **scope, quantity=MEANS[gate.mean.metric])
    else:
        name, trials, bad = _rate_series(gate)
        yield _selector(name, **scope, **trials, **bad)


def queries(gate: Gate, tail: TailEdges | None, run: Run) -> tuple[str, ...]:
    """What is read for a gate, as Prometheus selectors: the series of bad trials or sums of control, candidate and
    stable, then the objective's and the pairs'. Trials are the same series without the last label, or their count."""
    unknown = "not frozen yet"
    control, tried = (edge_text(tail.control), edge_text(tail.candidate)) if tail else (unknown, unknown)
    arms = ((Arm.CONTROL, control), (Arm.CANDIDATE, tried), (Arm.STABLE, control))
    texts = [text for arm, edge in arms for text in _read(gate, edge, run.labels(arm))]
    if gate.quantile and gate.objective:
        texts += _read(gate, edge_text(objective_edge(gate)), run.labels(Arm.CANDIDATE))
    if measurable_in_shadow(gate):
        beyond_edge = ratio_edge(max(gate.margin_percent, 5))
        texts.append(f'shadow pairs{{sampler_variant="{run.candidate}"}} beyond {beyond_edge}')
    return tuple(texts)

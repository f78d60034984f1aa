"""Computes a variant's latest metrics between two readings, as text with units, for its status.

Pure: no clock, chance or I/O.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Final

from pitwall_crds.edges import LATENCY_EDGES
from pitwall_crds.names import CacheResult, Label, Metric
from pitwall_crds.variant.variant import FiveMetrics
from pitwall_operator.gates.counting import counters
from pitwall_operator.values.observation import ProcessCounters, Reading

MOST: Final = 1e9
"""Seconds or tokens; more is told as more than this, since a pod may say anything and a status has room for little."""
EMPTY = ProcessCounters(start_time=0.0, samples={})


def _grown(newer: Sequence[float], older: Sequence[float]) -> list[float]:
    return [max(0.0, new - old) for new, old in zip(newer, older, strict=True)]


def histogram(newer: Reading, older: Reading, metric: str, edges: Sequence[float], **labels: str) -> list[float]:
    """Observations at or below each edge between two readings, and last all of them."""
    columns = [
        _grown(
            counters.cumulative(source, metric, edges, **labels),
            counters.cumulative(older.sources.get(identity, EMPTY), metric, edges, **labels),
        )
        for identity, source in newer.sources.items()
    ]
    return [sum(column) for column in zip(*columns, strict=True)] if columns else []


def growth(newer: Reading, older: Reading, name: str, **labels: str) -> float:
    """How much a counter grew between two readings, summed over processes."""
    return sum(
        max(
            0.0,
            counters.total(source, name, **labels) - counters.total(older.sources.get(identity, EMPTY), name, **labels),
        )
        for identity, source in newer.sources.items()
    )


def quantile(edges: Sequence[float], counts: Sequence[float], share: float) -> float | None:
    """The quantile by linear interpolation inside its bucket; None without observations, inf beyond the last edge."""
    if not counts or counts[-1] <= 0:
        return None
    rank = share * counts[-1]
    lower_edge, lower_count = 0.0, 0.0
    for edge, count in zip(edges, counts, strict=False):
        if count >= rank:
            part = (rank - lower_count) / (count - lower_count) if count > lower_count else 1.0
            return lower_edge + part * (edge - lower_edge)
        lower_edge, lower_count = edge, count
    return math.inf


def _seconds(value: float | None) -> str:
    if value is None:
        return ""
    if math.isinf(value):
        return f">{LATENCY_EDGES[-1]:g}s"
    if value > MOST:
        return f">{MOST:g}s"
    if value >= 1:
        return f"{value:.2f}s"
    return f"{value * 1000:.1f}ms" if value >= 0.001 else f"{value * 1e6:.0f}µs"


def _tokens(value: float | None) -> str:
    if value is None:
        return ""
    return f">{MOST:g}" if value > MOST else f"{value:.0f}"


def _percent(part: float, whole: float) -> str:
    """A share; work that ended in the window may have begun before it, so at most 100 %."""
    return f"{min(100.0, 100 * part / whole):.0f}%" if whole > 0 else ""


def metrics_between(newer: Reading, older: Reading, variant: str) -> FiveMetrics:
    """Latency p50 and p99, mean frame-selection time, mean tokens per query, cache-hit rate, encoder utilisation."""
    scope = {str(Label.SAMPLER_VARIANT): variant}
    latency = histogram(newer, older, Metric.QUERY_LATENCY, LATENCY_EDGES, **scope)
    queries = growth(newer, older, f"{Metric.TOKENS_PER_QUERY}_count", **scope)
    selections = growth(newer, older, f"{Metric.FRAME_SELECTION}_count", **scope)
    lookups = growth(newer, older, Metric.CACHE_LOOKUPS, **scope)
    hits = growth(newer, older, Metric.CACHE_LOOKUPS, **scope, **{str(Label.RESULT): str(CacheResult.HIT)})
    busy = growth(newer, older, Metric.ENCODER_BUSY, **scope)
    processes = sum(bool(counters.select(s, Metric.ENCODER_BUSY, **scope)) for s in newer.sources.values())
    tokens = growth(newer, older, f"{Metric.TOKENS_PER_QUERY}_sum", **scope)
    selecting = growth(newer, older, f"{Metric.FRAME_SELECTION}_sum", **scope)
    return FiveMetrics(
        latency_p50=_seconds(quantile(LATENCY_EDGES, latency, 0.5)),
        latency_p99=_seconds(quantile(LATENCY_EDGES, latency, 0.99)),
        frame_selection=_seconds(selecting / selections if selections else None),
        tokens_per_query=_tokens(tokens / queries if queries else None),
        cache_hit_rate=_percent(hits, lookups),
        encoder_utilization=_percent(busy, (newer.time - older.time) * processes),
    )


def texts(values: Mapping[str, float]) -> FiveMetrics:
    """The metrics from numbers by field: seconds, tokens, shares of one; what is missing, below zero or no number was
    not measured."""
    known = {name: value for name, value in values.items() if value >= 0}  # nor is NaN
    shares = {name: known[name] for name in ("cache_hit_rate", "encoder_utilization") if name in known}
    return FiveMetrics(
        latency_p50=_seconds(known.get("latency_p50")),
        latency_p99=_seconds(known.get("latency_p99")),
        frame_selection=_seconds(known.get("frame_selection")),
        tokens_per_query=_tokens(known.get("tokens_per_query")),
        **{name: _percent(share, 1.0) for name, share in shares.items()},
    )

"""Panels about the five metrics of every variant."""

from typing import Final

from pitwall_crds.names import CacheResult, Label, Metric
from pitwall_dashboards.panel import Panel, PanelType, Query
from pitwall_dashboards.promql import equals, gauge, mean, per_minute, quantile, share
from pitwall_dashboards.scopes import BY_VARIANT, CHASSIS, legend

_SERIES: Final = legend(Label.SAMPLER_VARIANT, Label.ARM)
_HIT: Final = equals(Label.RESULT, CacheResult.HIT)

LATENCY: Final = Panel(
    PanelType.TIME_SERIES,
    "Query latency, p99 and p50",
    "Seconds from question to answer as the user saw them; arm shadow is the copies.",
    6,
    (
        Query(quantile(CHASSIS, Metric.QUERY_LATENCY, "0.99"), f"p99 {_SERIES}"),
        Query(quantile(CHASSIS, Metric.QUERY_LATENCY, "0.5"), f"p50 {_SERIES}"),
    ),
    unit="s",
)
SELECTION: Final = Panel(
    PanelType.TIME_SERIES,
    "Frame selection, p99 and p50",
    "Seconds that the sampler takes to choose the frames.",
    5,
    (
        Query(quantile(CHASSIS, Metric.FRAME_SELECTION, "0.99"), f"p99 {_SERIES}"),
        Query(quantile(CHASSIS, Metric.FRAME_SELECTION, "0.5"), f"p50 {_SERIES}"),
    ),
    unit="s",
)
TOKENS: Final = Panel(
    PanelType.TIME_SERIES,
    "Tokens per query",
    "Mean visual tokens given to the answer engine.",
    4,
    (Query(mean(CHASSIS, Metric.TOKENS_PER_QUERY), _SERIES),),
    unit="short",
)
CACHE: Final = Panel(
    PanelType.TIME_SERIES,
    "Cache hit rates",
    "Share of frames whose embedding was there, and of questions whose frames were.",
    4,
    (
        Query(share(CHASSIS, Metric.CACHE_LOOKUPS, _HIT), f"embed {_SERIES}"),
        Query(share(CHASSIS, Metric.FRAME_LOOKUPS, _HIT), f"frames {_SERIES}"),
    ),
    unit="percentunit",
    maximum=1,
)
ENCODER: Final = Panel(
    PanelType.TIME_SERIES,
    "Encoder utilisation",
    "Busy share of the encoder, mean over the variant's processes.",
    5,
    (Query(gauge(CHASSIS, Metric.ENCODER_UTILIZATION, function="avg"), _SERIES),),
    unit="percentunit",
    maximum=1,
)
NOW: Final = Panel(
    PanelType.TABLE,
    "Variants now",
    "The five metrics of every variant, all arms together.",
    9,
    (
        Query(quantile(BY_VARIANT, Metric.QUERY_LATENCY, "0.5"), "p50"),
        Query(quantile(BY_VARIANT, Metric.QUERY_LATENCY, "0.99"), "p99"),
        Query(quantile(BY_VARIANT, Metric.FRAME_SELECTION, "0.5"), "select"),
        Query(mean(BY_VARIANT, Metric.TOKENS_PER_QUERY), "tokens"),
        Query(share(BY_VARIANT, Metric.CACHE_LOOKUPS, _HIT), "hit"),
        Query(gauge(BY_VARIANT, Metric.ENCODER_UTILIZATION, function="avg"), "encoder"),
        Query(per_minute(BY_VARIANT, Metric.QUERIES), "queries/min"),
    ),
    columns={"p50": "s", "p99": "s", "select": "s", "tokens": "short", "hit": "percentunit", "encoder": "percentunit"},
    decimals=1,
)

"""Tallies in, Prometheus' metric families out, as the shared table of metrics describes them."""

import math
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily
from prometheus_client.utils import floatToGoString

from pitwall_crds.edges import LATENCY_EDGES, RATIO_EDGES, SELECTION_EDGES
from pitwall_crds.metrics import SERIES
from pitwall_crds.names import Metric, Quantity
from pitwall_gateway.counting.series import ArmSeries
from pitwall_gateway.counting.spread import Spread
from pitwall_gateway.counting.tally import RunTally

EVIDENCE: Final = (
    Metric.EVIDENCE_QUERIES, Metric.EVIDENCE_WITHIN, Metric.EVIDENCE_BEYOND, Metric.EVIDENCE_ABANDONED,
    Metric.EVIDENCE_EXCUSED, Metric.EVIDENCE_VALUE, Metric.EVIDENCE_VALUED, Metric.EVIDENCE_CACHE_QUERIES,
    Metric.EVIDENCE_QUALITY, Metric.EVIDENCE_PAIRS, Metric.EVIDENCE_RATIO_WITHIN, Metric.EVIDENCE_RATIOS,
)  # fmt: skip

Families = Iterable[CounterMetricFamily]
Named = tuple[str, ...]


def edge_names(edges: Iterable[float]) -> Named:
    """Edges as a histogram's label `le` spells them."""
    return tuple(str(floatToGoString(edge)) for edge in edges)  # type: ignore[no-untyped-call]


LATENCY_NAMES: Final = edge_names(LATENCY_EDGES)
ABANDONED_NAMES: Final = edge_names((*LATENCY_EDGES, math.inf))
SELECTION_NAMES: Final = edge_names(SELECTION_EDGES)
RATIO_NAMES: Final = edge_names(RATIO_EDGES)


def counter_families() -> dict[Metric, CounterMetricFamily]:
    """The evidence's counters without series."""
    return {
        metric: CounterMetricFamily(
            str(metric), SERIES[metric].about, labels=[str(each) for each in SERIES[metric].labels]
        )
        for metric in EVIDENCE
    }


def expose(tallies: Iterable[tuple[ArmSeries, RunTally]], now: float) -> Families:
    """Every count of these series at this moment."""
    families = counter_families()
    for series, tally in tallies:
        who = (series.variant, str(series.arm), series.run)
        _expose_questions(families, who, tally, now)
        _expose_values(families, who, tally)
        _expose_pairs(families, who, tally)
    return list(families.values())


def written(families: Families) -> bytes:
    """The families in Prometheus' text format. prometheus-client's own hand takes several times as long, and users
    wait while a scrape is written."""
    lines = []
    for family in families:
        name = family.name + "_total"
        labels = ",".join(f'{label}="%s"' for label in SERIES[Metric(name)].labels)
        line = f"{name}{{{labels}}} %s\n"
        lines.append(f"# HELP {name} {family.documentation}\n# TYPE {name} counter\n")
        lines += [line % (*map(_escaped, sample.labels.values()), sample.value) for sample in family.samples]
    return "".join(lines).encode()


def in_text(registry: CollectorRegistry) -> bytes:
    """What a registry collects, in Prometheus' text format, without when each series began, which nobody asks for."""
    lines = []
    for family in registry.collect():
        name = family.name + ("_total" if family.type == "counter" else "")
        lines.append(f"# HELP {name} {_escaped(family.documentation, quotes=False)}\n# TYPE {name} {family.type}\n")
        lines += [
            f"{_head(sample.name, tuple(sample.labels.items()))} {floatToGoString(sample.value)}\n"  # type: ignore[no-untyped-call]
            for sample in family.samples
            if not sample.name.endswith("_created")
        ]
    return "".join(lines).encode()


@lru_cache(maxsize=1 << 14)
def _head(name: str, labels: tuple[tuple[str, str], ...]) -> str:
    """A series' name and labels: they are the same at every scrape, and to write them takes longest."""
    inside = ",".join(f'{label}="{_escaped(value)}"' for label, value in sorted(labels))
    return f"{name}{{{inside}}}" if inside else name


@lru_cache(maxsize=4096)
def _escaped(value: str, *, quotes: bool = True) -> str:
    escaped = value.replace("\\", r"\\").replace("\n", r"\n")
    return escaped.replace('"', r"\"") if quotes else escaped


def _expose_questions(families: Mapping[Metric, CounterMetricFamily], who: Named, tally: RunTally, now: float) -> None:
    for outcome, number in tuple(tally.outcomes.items()):
        families[Metric.EVIDENCE_QUERIES].add_metric((*who, outcome), number)
    still_open = tally.under_way(now)
    _expose_spread(families, (*who, Quantity.LATENCY), tally.latency, LATENCY_NAMES, still_open)
    if tally.abandoned.total:
        for name, left in zip(ABANDONED_NAMES, (*tally.abandoned.within(), tally.abandoned.total), strict=True):
            families[Metric.EVIDENCE_ABANDONED].add_metric((*who, name), left)
    if tally.excused:
        families[Metric.EVIDENCE_EXCUSED].add_metric(who, tally.excused)
    if tally.selection.total:
        _expose_spread(families, (*who, Quantity.SELECTION), tally.selection, SELECTION_NAMES)
    for key, number in tuple(tally.quality.items()):
        families[Metric.EVIDENCE_QUALITY].add_metric((*who, *key), number)


def _expose_spread(
    families: Mapping[Metric, CounterMetricFamily],
    who: Named,
    spread: Spread,
    names: Named,
    still_open: Iterable[int] = (),
) -> None:
    within, beyond = families[Metric.EVIDENCE_WITHIN], families[Metric.EVIDENCE_BEYOND]
    for name, inside, outside in zip(names, spread.within(), spread.beyond(still_open), strict=True):
        within.add_metric((*who, name), inside)
        beyond.add_metric((*who, name), outside)


def _expose_values(families: Mapping[Metric, CounterMetricFamily], who: Named, tally: RunTally) -> None:
    for quantity, mean in tuple(tally.values.items()):
        families[Metric.EVIDENCE_VALUE].add_metric((*who, quantity), mean.total)
        families[Metric.EVIDENCE_VALUED].add_metric((*who, quantity), mean.number)
    for result, number in tuple(tally.caches.items()):
        families[Metric.EVIDENCE_CACHE_QUERIES].add_metric((*who, result), number)


def _expose_pairs(families: Mapping[Metric, CounterMetricFamily], who: Named, tally: RunTally) -> None:
    for outcome, number in tuple(tally.pairs.items()):
        families[Metric.EVIDENCE_PAIRS].add_metric((*who, outcome), number)
    for quantity, spread in tuple(tally.ratios.items()):
        families[Metric.EVIDENCE_RATIOS].add_metric((*who, quantity), spread.total)
        for name, inside in zip(RATIO_NAMES, spread.within(), strict=True):
            families[Metric.EVIDENCE_RATIO_WITHIN].add_metric((*who, quantity, name), inside)

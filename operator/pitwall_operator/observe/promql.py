"""Builds the PromQL queries that read the counters of all moving rollouts.

One query per metric family for all variants of all rollouts. What one family counts comes with one query, so that its
sum, count and buckets are of the same moment. Of other namespaces nothing is read, whatever their pods export, but what
has no namespace; and of what has not the labels of a gateway nothing. Pure: no clock, chance or I/O.
"""

import itertools
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from pitwall_crds.names import MEAN, CacheResult, Label, Metric
from pitwall_crds.rollout.gate import Gate
from pitwall_crds.rollout.rollout import Rollout
from pitwall_crds.rollout.status import RolloutStatus
from pitwall_operator.gates.counting import counters, gross, latency_thresholds, spreads
from pitwall_operator.observe.gateways import gateways_query
from pitwall_operator.values.observation import ProcessCounters

START_TIME: Final = "process_start_time_seconds"
PARTS: Final = ("_bucket", "_count", "_sum")
BY_EDGE: Final = (
    Metric.EVIDENCE_WITHIN,
    Metric.EVIDENCE_BEYOND,
    Metric.EVIDENCE_ERROR,
    Metric.EVIDENCE_SHIFT,
    Metric.EVIDENCE_ONE_USER,
    Metric.EVIDENCE_ABANDONED,
)
"""Families with a series per edge, of which gates need a few."""

ALWAYS: Final = (
    Metric.USERS,
    Metric.EVIDENCE_MEMORY,
    Metric.EVIDENCE_HISTORY,
    Metric.EVIDENCE_SILENCE,
    Metric.EVIDENCE_CALLERS,
    Metric.EVIDENCE_USERS,
    Metric.EVIDENCE_SERVED,
)
"""What is asked whatever the gates are."""
MOST_STRANGERS: Final = 9

Edges = frozenset[str] | None
"""Histogram edges as the label `le` spells them; None stands for all."""


@dataclass(frozen=True, slots=True)
class Interest:
    """What one rollout needs of Prometheus: sample names, and edges by sample name where not all are needed."""

    namespace: str
    variants: frozenset[str]
    samples: Mapping[str, Edges] = field(default_factory=dict)


class _Asked(dict[str, Sequence[tuple[Mapping[str, str], float]]]):
    """Samples of a process that has none, which remembers what it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def get(self, name: str, default: object = None) -> object:  # type: ignore[override]
        self.names.add(name)
        return default


def interest(rollout: Rollout) -> Interest:
    """What the gates of a moving rollout count, and the users that tell whether the split is as configured.

    Until a run is planned, also how many questions come and how long they take.
    """
    status = rollout.status
    samples: dict[str, Edges] = dict.fromkeys(ALWAYS)
    is_planned = bool(status.plan)
    if not is_planned:
        samples[Metric.QUERIES] = None
    for gate in rollout.spec.analysis.gates:
        for name, edges in _samples(gate, status, whole=not is_planned).items():
            known = samples.get(name, frozenset())
            samples[name] = None if known is None or edges is None else known | edges
    variants = frozenset({status.stable_variant, status.candidate_variant} - {""})
    return Interest(rollout.metadata.namespace, variants, samples)


def _samples(gate: Gate, status: RolloutStatus, *, whole: bool) -> Mapping[str, Edges]:
    """The gate's own counting is asked, so what is read cannot differ from what is counted.

    `whole`: of a quantile, the whole histogram too when its own thresholds are known.
    """
    asked = _Asked()
    known = next((state.tail for state in status.gates if state.name == gate.name), None)
    tail = latency_thresholds.edges_of(known)
    counters.totals(ProcessCounters(0.0, asked), gate, tail, counters.Run("stable", "candidate", "run"))
    samples: dict[str, Edges] = dict.fromkeys(asked.names)
    if Metric.EVIDENCE_ABANDONED in samples:
        samples[Metric.EVIDENCE_ABANDONED] = frozenset({counters.edge_text(math.inf)})
    if gate.quantile is None:
        told = (Metric.EVIDENCE_ERROR, Metric.EVIDENCE_SHIFT, Metric.EVIDENCE_ONE_USER)
        return samples | dict.fromkeys(told if spreads.quantity(gate) else (), frozenset({MEAN}))
    metric = counters.HISTOGRAMS[gate.quantile.metric]
    awaits_own = known is None or latency_thresholds.is_lowered(gate, known)
    past = dict.fromkeys((f"{metric}_bucket", f"{metric}_count") if whole or awaits_own else ())
    if tail is None:
        return samples | past
    apart = gross.gross_edges(gate, tail) or ()
    edges = (tail.control, tail.candidate, counters.objective_edge(gate), *apart, *itertools.chain(*tail.further))
    texts = frozenset(counters.edge_text(edge) for edge in edges if math.isfinite(edge))
    return samples | dict.fromkeys(BY_EDGE, texts) | past


def counter_queries(interests: Iterable[Interest], gateways: str) -> tuple[str, ...]:
    """One query per metric family."""
    wanted = tuple(interests)
    families: dict[str, set[str]] = {}
    for one in wanted:
        for name in one.samples:
            families.setdefault(_family(name), set()).add(name)
    return (
        f"{Metric.LABEL_WINDOW}{{{_there(wanted)},{gateways}}}",
        *(_family_query(names, wanted, gateways) for _, names in sorted(families.items())),
    )


def _family(name: str) -> str:
    return next((name.removesuffix(part) for part in PARTS if name.endswith(part)), name)


def _family_query(names: set[str], interests: Sequence[Interest], gateways: str) -> str:
    """Those that need every edge, and those that need a few."""
    asking = [one for one in interests if names & one.samples.keys()]
    whole = [one for one in asking if _needs_all(one, names)]
    part = [one for one in asking if not _needs_all(one, names)]
    edges = {edge for one in part for name in names for edge in one.samples.get(name) or ()}
    chosen = [_select(names, whole, gateways)] if whole else []
    chosen += [_select(names, part, gateways, edges)] if part else []
    return " or ".join(chosen)


def _needs_all(one: Interest, names: set[str]) -> bool:
    """Whether a rollout needs the whole family; a family without edges is always needed whole."""
    buckets = [name for name in names if _has_edges(name) and name in one.samples]
    return not buckets or any(one.samples[name] is None for name in buckets)


def _has_edges(name: str) -> bool:
    return name.endswith("_bucket") or name in BY_EDGE


def _select(names: Iterable[str], interests: Sequence[Interest], gateways: str = "", edges: Iterable[str] = ()) -> str:
    matchers = [_one_of("__name__", names), _counted(interests)]
    if gateways:
        matchers.append(gateways)
    if edges:
        matchers.append(_one_of(Label.EDGE, edges))
    return f"{{{','.join(matchers)}}}"


def _counted(interests: Sequence[Interest]) -> str:
    """Matchers for what these rollouts' variants count."""
    variants = {variant for one in interests for variant in one.variants}
    return f"{_one_of(Label.SAMPLER_VARIANT, variants)},{_there(interests)}"


def _there(interests: Sequence[Interest]) -> str:
    """A matcher for targets in the namespaces of these rollouts, or in none."""
    return _one_of("namespace", {"", *(one.namespace for one in interests)})


def _one_of(label: str, values: Iterable[str]) -> str:
    """A matcher for any of these values."""
    pattern = "|".join(sorted(map(re.escape, values))).replace("\\", "\\\\").replace('"', '\\"')
    return f'{label}=~"{pattern}"'


def gateway_query(interests: Iterable[Interest], gateways: str) -> str:
    """Which targets are gateways, in the namespaces of these rollouts."""
    return gateways_query(gateways, _there(tuple(interests)))


def source_query(interests: Iterable[Interest], gateways: str) -> str:
    """When each gateway that counts for these variants began."""
    wanted = tuple(interests)
    return f"{START_TIME}{{{_there(wanted)},{gateways}}} and on (job, instance) {_select_sources(wanted, gateways)}"


def age_query(interests: Iterable[Interest], gateways: str) -> str:
    """When each of these processes was last scraped."""
    wanted = tuple(interests)
    started = f"{START_TIME}{{{_there(wanted)},{gateways}}}"
    return f"timestamp({started}) and on (job, instance) {_select_sources(wanted, gateways)}"


def stranger_query(interests: Iterable[Interest], gateways: str) -> str:
    """Of processes that are no gateway, those that show most of what only gateways count."""
    wanted = tuple(interests)
    others = f"{_select_sources(wanted)} unless on (job, instance) ({gateway_query(wanted, gateways)})"
    return f"topk({MOST_STRANGERS}, count by (namespace, pod, job, instance) ({others}))"


def _select_sources(interests: Sequence[Interest], gateways: str = "") -> str:
    names = {name for one in interests for name in one.samples if not _has_edges(name)}
    return _select(names, interests, gateways)


# --- the metrics of a variant's status, computed by Prometheus ---

WINDOW: Final = "2m"


def variant_metric_queries(interests: Iterable[Interest], gateways: str) -> Mapping[str, str]:
    """By field of FiveMetrics, a query whose answer has one number per namespace and variant. What users waited is
    the gateways' word, all else the runtimes' own, which people see and no gate weighs."""
    chosen = _counted(tuple(interests))
    latency = _rate(Metric.QUERY_LATENCY + "_bucket", f"{chosen},{gateways}", also=",le")
    lookups = _rate(Metric.CACHE_LOOKUPS, chosen)
    hits = _rate(Metric.CACHE_LOOKUPS, f'{chosen},{Label.RESULT}="{CacheResult.HIT}"')
    return {
        "latency_p50": f"histogram_quantile(0.5, {latency})",
        "latency_p99": f"histogram_quantile(0.99, {latency})",
        "frame_selection": _mean(Metric.FRAME_SELECTION, chosen),
        "tokens_per_query": _mean(Metric.TOKENS_PER_QUERY, chosen),
        "cache_hit_rate": f"{hits} / {lookups}",
        "encoder_utilization": _rate(Metric.ENCODER_BUSY, chosen, how="avg"),
    }


def _rate(name: str, matchers: str, *, also: str = "", how: str = "sum") -> str:
    return f"{how} by (namespace,{Label.SAMPLER_VARIANT}{also}) (rate({name}{{{matchers}}}[{WINDOW}]))"


def _mean(metric: str, matchers: str) -> str:
    return f"{_rate(metric + '_sum', matchers)} / {_rate(metric + '_count', matchers)}"

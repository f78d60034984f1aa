"""What was read of Prometheus at one moment: who has counted what, and what one rollout sees of it."""

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from pitwall_crds.host.printable import printable, shortened
from pitwall_crds.names import Label
from pitwall_operator.observe import promql
from pitwall_operator.observe.countable import sample_fault
from pitwall_operator.observe.promql import Interest
from pitwall_operator.values.observation import ProcessCounters, Reading, Unseen

LONGEST_WORDS: Final = 300
"""Of what is wrong with a process, whatever it is called."""
NAME: Final = "__name__"
_METRIC_LABELS: Final = frozenset({*Label, "le", NAME})
_REPLICA_LABELS: Final = frozenset({"prometheus", "prometheus_replica", "replica", "__replica__"})

Series = tuple[Mapping[str, str], float]


@dataclass(slots=True)
class ScrapedProcess:
    """A scraped process: its samples by name and metric labels, and what is wrong with one of them, if anything is."""

    start_time: float = 0.0
    scraped: float = 0.0
    samples: dict[str, dict[frozenset[tuple[str, str]], Series]] = field(default_factory=dict)
    fault: str = ""


@dataclass(frozen=True, slots=True)
class CounterSnapshot:
    """All that was read at one moment, by the namespace in which it was scraped ('' where targets have none).

    Attributes:
        time: the moment by the operator's clock, which is what a decision compares it with.
        asked_for: the same moment by Prometheus' clock, which is what scrapes are dated by.
        unread: the namespaces of which there is too much.
    """

    time: float
    asked_for: float
    processes: Mapping[tuple[str, str], ScrapedProcess]
    interests: frozenset[tuple[str, frozenset[str]]]
    unread: Mapping[str, Unseen] = field(default_factory=dict)

    def reading(self, one: Interest, stale_seconds: float) -> Reading | Unseen:
        """What one rollout sees of it."""
        if one.namespace in self.unread:
            return self.unread[one.namespace]
        if (one.namespace, one.variants) not in self.interests:
            return Unseen("the first reading of these variants is on its way")
        seen = {
            f"{namespace}/{name}@{process.start_time:.0f}": process
            for (namespace, name), process in self.processes.items()
            if namespace in (one.namespace, "") and process.samples and _counts_for(process, one.variants)
        }
        if not seen:
            return Unseen(
                f"no data: Prometheus has no series of {' or '.join(sorted(one.variants))} in namespace "
                f"{one.namespace!r}; check that it scrapes gateway and runtime pods, and that questions come in"
            )
        if odd := next((f"{identity}: {process.fault}" for identity, process in seen.items() if process.fault), ""):
            return Unseen(
                f"no counts: {shortened(printable(odd[:LONGEST_WORDS]), LONGEST_WORDS)}; look what that pod is"
            )
        age = self.asked_for - max(process.scraped for process in seen.values())
        if age > stale_seconds:
            return Unseen(
                f"stale: the newest sample is {age:.0f} s old, more than {stale_seconds:.0f} s; "
                "check Prometheus' targets page"
            )
        return Reading(self.time, {identity: _source(process) for identity, process in seen.items()})


def _counts_for(process: ScrapedProcess, variants: frozenset[str]) -> bool:
    return any(
        labels.get(Label.SAMPLER_VARIANT) in variants
        for series in process.samples.values()
        for labels, _ in series.values()
    )


def _source(process: ScrapedProcess) -> ProcessCounters:
    return ProcessCounters(
        process.start_time, {name: tuple(series.values()) for name, series in process.samples.items()}
    )


def processes_of(
    families: Iterable[Iterable[Series]], starts: Iterable[Series], ages: Iterable[Series]
) -> Mapping[tuple[str, str], ScrapedProcess]:
    """Who has counted what, by namespace and name: `starts` and `ages` are when each began, and was scraped last."""
    processes: dict[tuple[str, str], ScrapedProcess] = {}
    for labels, value in itertools.chain(*families):
        known = processes.setdefault(_identity(labels), ScrapedProcess())
        known.fault = known.fault or sample_fault(labels.get(NAME, ""), labels, value)
        own = {name: text for name, text in labels.items() if name in _METRIC_LABELS and name != NAME}
        known.samples.setdefault(labels.get(NAME, ""), {})[frozenset(own.items())] = (own, value)
    for answer, name in ((starts, "start_time"), (ages, "scraped")):
        for labels, value in answer:
            if process := processes.get(_identity(labels)):
                process.fault = process.fault or sample_fault(promql.START_TIME, labels, value)
                setattr(process, name, value)
    return processes


def _identity(labels: Mapping[str, str]) -> tuple[str, str]:
    """A process by the labels that its target has: namespace and pod where there are any; copies of a replicated
    Prometheus are one."""
    namespace, pod = labels.get("namespace", ""), labels.get("pod", "")
    target = {name for name in labels if name not in _METRIC_LABELS and name not in _REPLICA_LABELS}
    instance = labels.get("instance") or ",".join(f"{name}={labels[name]}" for name in sorted(target))
    return namespace, (f"{pod}/{instance}" if pod else instance)

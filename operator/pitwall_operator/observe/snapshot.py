"""What was read of Prometheus at one moment: who has counted what, and what one rollout sees of it."""

import itertools
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from pitwall_crds.host.printable import printable, shortened
from pitwall_crds.names import Label
from pitwall_operator.observe import promql
from pitwall_operator.observe.countable import sample_fault
from pitwall_operator.observe.gateways import Target, target
from pitwall_operator.observe.promql import Interest
from pitwall_operator.values.observation import ProcessCounters, Reading, Unseen

LONGEST_WORDS: Final = 300
"""Of what is wrong with a process, whatever it is called."""
LONGEST_NAME: Final = 100
MOST_FITTING: Final = 3
"""Targets that are named to somebody who looks for a wrong matcher."""
NAME: Final = "__name__"
_METRIC_LABELS: Final = frozenset({*Label, "le", NAME})
_REPLICA_LABELS: Final = frozenset({"prometheus", "prometheus_replica", "replica", "__replica__"})

Series = tuple[Mapping[str, str], float]


@dataclass(slots=True)
class ScrapedProcess:
    """A scraped gateway: its samples by name and metric labels, and what is wrong with one of them, if anything is."""

    start_time: float = 0.0
    scraped: float = 0.0
    samples: dict[str, dict[frozenset[tuple[str, str]], Series]] = field(default_factory=dict)
    fault: str = ""
    pod: str = ""


@dataclass(frozen=True, slots=True)
class CounterSnapshot:
    """All that was read at one moment, by the namespace in which it was scraped ('' where targets have none).

    Attributes:
        time: the moment by the operator's clock, which is what a decision compares it with.
        asked_for: the same moment by Prometheus' clock, which is what scrapes are dated by.
        gateways: the namespaces in which gateways are scraped.
        fitting: by namespace and name, whatever targets have a gateway's labels.
        down: those of which no scrape succeeded last, as `namespace/pod`.
        apart: what was read, at another moment, of each namespace that is read alone, or why nothing was.
    """

    time: float
    asked_for: float
    processes: Mapping[tuple[str, str], ScrapedProcess]
    interests: frozenset[tuple[str, frozenset[str]]]
    gateways: frozenset[str] = frozenset()
    apart: Mapping[str, "CounterSnapshot | Unseen"] = field(default_factory=dict)
    fitting: frozenset[tuple[str, str]] = frozenset()
    down: frozenset[str] = frozenset()

    def reading(self, one: Interest, stale_seconds: float) -> Reading | Unseen:
        """What one rollout sees of it."""
        part = self.apart.get(one.namespace)
        if part is not None:  # by this moment's clock its samples may have grown stale meanwhile
            return (
                part
                if isinstance(part, Unseen)
                else replace(part, asked_for=self.asked_for).reading(one, stale_seconds)
            )
        if (one.namespace, one.variants) not in self.interests:
            return Unseen("the first reading of these variants is on its way")
        if not self.gateways & {one.namespace, ""}:
            return Unseen(
                f"no gateway: Prometheus scrapes none in namespace {one.namespace!r}, as prometheus.gateways tells "
                "them by their labels, and no other process is believed; check its targets page"
            )
        count = {
            f"{namespace}/{name}": process
            for (namespace, name), process in self.processes.items()
            if namespace in (one.namespace, "") and _counts_for(process, one.variants)
        }
        # One whose start a replica of Prometheus has missed would be another process.
        seen = {f"{name}@{known.start_time:.0f}": known for name, known in _once(count).items() if known.start_time}
        if count and not seen:
            return Unseen(_undated(count))
        if not seen:
            return Unseen(
                f"no data: Prometheus has no series of {' or '.join(sorted(one.variants))} in namespace "
                f"{one.namespace!r}, of what prometheus.gateways fits there ({self._fitting(one.namespace)}); check "
                "that these are gateways, and that questions come in"
            )
        if odd := next((f"{name}: {process.fault}" for name, process in seen.items() if process.fault), ""):
            return Unseen(
                f"no counts: {shortened(printable(odd[:LONGEST_WORDS]), LONGEST_WORDS)}; look what that pod is"
            )
        age = self.asked_for - max(process.scraped for process in seen.values())
        if age > stale_seconds:
            return Unseen(
                f"stale: the newest sample is {age:.0f} s old, more than {stale_seconds:.0f} s; "
                "check Prometheus' targets page"
            )
        return Reading(self.time, {name: _source(process) for name, process in seen.items()}, self.down)

    def _fitting(self, namespace: str) -> str:
        """A few of the targets that are taken for gateways of a namespace: a matcher may fit others than were meant."""
        names = sorted(name for where, name in self.fitting if where in (namespace, ""))
        told = ", ".join(shortened(printable(name[:LONGEST_NAME]), LONGEST_NAME) for name in names[:MOST_FITTING])
        return told + (f" and {len(names) - MOST_FITTING} others" if len(names) > MOST_FITTING else "")


def _undated(names: Iterable[str]) -> str:
    """Nobody can say whether counters of these grew or began anew."""
    first = shortened(printable(min(names)[:LONGEST_NAME]), LONGEST_NAME)
    return (
        f"no start: Prometheus has no {promql.START_TIME} of {first}, which tells restarts apart; check that no "
        "relabeling of metrics drops it"
    )


def _counts_for(process: ScrapedProcess, variants: frozenset[str]) -> bool:
    return any(
        labels.get(Label.SAMPLER_VARIANT) in variants
        for series in process.samples.values()
        for labels, _ in series.values()
    )


def _once(shown: Mapping[str, ScrapedProcess]) -> dict[str, ScrapedProcess]:
    """Each process by the name under which it was scraped last: two jobs may scrape one pod by two addresses."""
    latest: dict[tuple[str, float], str] = {}
    for name, process in shown.items():
        whose = (process.pod or name, process.start_time)
        if whose not in latest or process.scraped > shown[latest[whose]].scraped:
            latest[whose] = name
    return {name: shown[name] for name in latest.values()}


def _source(process: ScrapedProcess) -> ProcessCounters:
    return ProcessCounters(
        process.start_time, {name: tuple(series.values()) for name, series in process.samples.items()}
    )


def processes_of(
    families: Iterable[Iterable[Series]],
    starts: Iterable[Series],
    ages: Iterable[Series],
    gateways: Collection[Target],
) -> Mapping[tuple[str, str], ScrapedProcess]:
    """What gateways have counted, by namespace and name: `starts` and `ages` are when each began, and was scraped last.
    Whatever else is scraped is left out, even if something is wrong with it."""
    processes: dict[tuple[str, str], ScrapedProcess] = {}
    for labels, value in itertools.chain(*families):
        if target(labels) not in gateways:
            continue
        known = processes.setdefault(identity(labels), ScrapedProcess(pod=labels.get("pod", "")))
        known.fault = known.fault or sample_fault(labels.get(NAME, ""), labels, value)
        own = {name: text for name, text in labels.items() if name in _METRIC_LABELS and name != NAME}
        known.samples.setdefault(labels.get(NAME, ""), {})[frozenset(own.items())] = (own, value)
    for answer, name in ((starts, "start_time"), (ages, "scraped")):
        for labels, value in answer:
            process = processes.get(identity(labels))
            if process and target(labels) in gateways:
                process.fault = process.fault or sample_fault(promql.START_TIME, labels, value)
                setattr(process, name, value)
    return processes


def identity(labels: Mapping[str, str]) -> tuple[str, str]:
    """A process by the labels that its target has: namespace and pod where there are any; copies of a replicated
    Prometheus are one."""
    namespace, pod = labels.get("namespace", ""), labels.get("pod", "")
    target = {name for name in labels if name not in _METRIC_LABELS and name not in _REPLICA_LABELS}
    instance = labels.get("instance") or ",".join(f"{name}={labels[name]}" for name in sorted(target))
    return namespace, (f"{pod}/{instance}" if pod else instance)

"""Makes counters of a moving rollout with a few things wrong, for fuzzers of whoever reads or weighs them."""

import copy
import itertools
import math
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pitwall_crds.edges import LATENCY_EDGES, RATIO_EDGES, SELECTION_EDGES
from pitwall_crds.names import MEAN, Arm, CacheResult, Label, Metric, Outcome, Quantity, Signal, TrialKind
from pitwall_crds.rollout.rollout import Analysis, Rollout
from pitwall_crds.rollout.status import Phase
from pitwall_operator.gates.counting import counters, latency_thresholds
from pitwall_operator.observe.countable import LARGEST
from pitwall_operator.values.observation import Observation

GATES = [
    {"name": "latency", "quantile": {"metric": "QueryLatency", "perMille": 900, "objectiveMilliseconds": 4000},
     "warmupSeconds": 0, "dependence": "Query"},
    {"name": "selection", "quantile": {"metric": "FrameSelection", "perMille": 500}, "warmupSeconds": 0},
    {"name": "errors", "rate": {"metric": "Errors"}, "absoluteMarginBasisPoints": 500},
    {"name": "cold", "rate": {"metric": "ColdQueries", "objectiveBasisPoints": 900}, "warmupSeconds": 0,
     "dependence": "Query"},
    {"name": "thumbs", "rate": {"metric": "ThumbsDown", "unit": "Query"}, "dependence": "Query"},
    {"name": "tasks", "rate": {"metric": "TaskAbandoned", "unit": "Session"}, "onHarm": "Hold"},
    {"name": "tokens", "mean": {"metric": "TokensPerQuery"}},
    {"name": "encoder", "mean": {"metric": "EncoderUtilization"}, "warmupSeconds": 0, "dependence": "Query"},
]  # fmt: skip
TEXTS = ("", "x", "nan", "+Inf", "-1", "1e999", "\x1b[2J", "é" * 300, "candidate", "stable", "aks-v1", "run")
"""Values of labels."""
COUNTS = (0, 0.0, 0.5, 1, 7, 1e-320, 1e-300, 1e-9, 123_456.789, 10**6, 10**12, 2**53, LARGEST)
"""Values that the border lets through."""

Labels = dict[str, str]
Sample = tuple[str, Labels, float]


@dataclass(frozen=True)
class CountingScene:
    """A moving rollout, what is seen beside counters, and what gateways show."""

    rollout: Rollout
    seen: Observation
    samples: tuple[Sample, ...]

    @property
    def at(self) -> float:
        return self.seen.now


def scenes_of(world: Any) -> list[CountingScene]:
    """The same rollout in its shadow, at its first users, and at half of them, with gates of every kind, two by two."""
    world.apply("rollout-aks.yaml")
    pairs = [GATES[index : index + 2] for index in range(0, len(GATES), 2)]
    return [scene for pair in pairs for scene in _scenes_with(copy.deepcopy(world), pair)]


def _scenes_with(world: Any, gates: list[dict[str, Any]]) -> list[CountingScene]:
    world.want(analysis=Analysis.model_validate({"blockSeconds": 3, "gates": gates}))
    world.until(lambda w: w.status.phase is Phase.SHADOW, world.good_block)
    found = []
    for stage, phase in ((0, Phase.SHADOW), (1, Phase.CANARY), (3, Phase.CANARY)):
        world.rollout = with_status(world.rollout, stage_index=stage, phase=phase)
        for _ in range(2):
            world.block("aks-v1", candidate_seconds=0.01, bad=2, good=8)
            world.turn(40)
        found.append(CountingScene(world.rollout, world.seen(), every_series(world.rollout)))
    return found


def with_status(rollout: Rollout, **changes: object) -> Rollout:
    return rollout.model_copy(update={"status": rollout.status.model_copy(update=changes)})


# --- what a gateway shows of a run ---


def _of_arm(variant: str, arm: str, run: str, edges: Mapping[str, list[str]]) -> Iterator[Sample]:
    """All that gates may read of one arm."""
    plain = {Label.SAMPLER_VARIANT: variant, Label.ARM: arm}
    scope = {**plain, Label.RUN: run}
    yield from _questions(plain, scope, edges)
    for quantity in Quantity:
        yield from _measured({**scope, Label.QUANTITY: quantity}, (*edges.get(quantity, ()), MEAN), edges["ratio"])
    yield from _opinions(scope)
    yield from _histograms(plain)
    yield Metric.EVIDENCE_SILENCE, plain, 300.0
    yield Metric.USERS, {**plain, Label.SPLIT: "s"}, 30.0


def _questions(plain: Labels, scope: Labels, edges: Mapping[str, list[str]]) -> Iterator[Sample]:
    yield Metric.QUERIES, {**plain, Label.OUTCOME: Outcome.OK}, 400.0
    for outcome, count in ((Outcome.OK, 390.0), (Outcome.ERROR, 4.0)):
        for name in (Metric.EVIDENCE_QUERIES, Metric.EVIDENCE_PAIRS):
            yield name, {**scope, Label.OUTCOME: outcome}, count
    for edge in (*edges[Quantity.LATENCY], "+Inf"):
        yield Metric.EVIDENCE_ABANDONED, {**scope, Label.EDGE: edge}, 3.0
    yield Metric.EVIDENCE_EXCUSED, scope, 2.0
    for result in (CacheResult.COLD, CacheResult.WARM):
        yield Metric.EVIDENCE_CACHE_QUERIES, {**scope, Label.RESULT: result}, 200.0
    for caller in ("web", ""):
        yield Metric.EVIDENCE_CALLERS, {**scope, Label.KIND: TrialKind.QUESTION, Label.CALLER: caller}, 200.0


def _measured(of: Labels, edges: tuple[str, ...], ratios: list[str]) -> Iterator[Sample]:
    for name, value in (
        (Metric.EVIDENCE_VALUE, 812.5), (Metric.EVIDENCE_VALUED, 400.0), (Metric.EVIDENCE_RATIOS, 200.0),
        (Metric.EVIDENCE_USERS, 40.0),
    ):  # fmt: skip
        yield name, of, value
    for edge in edges:
        yield Metric.EVIDENCE_WITHIN, {**of, Label.EDGE: edge}, 360.0
        yield Metric.EVIDENCE_BEYOND, {**of, Label.EDGE: edge}, 40.0
        for unit in ("query", "user"):
            yield Metric.EVIDENCE_ERROR, {**of, Label.EDGE: edge, Label.UNIT: unit}, 0.01
    for edge in ratios:
        yield Metric.EVIDENCE_RATIO_WITHIN, {**of, Label.EDGE: edge}, 150.0


def _opinions(scope: Labels) -> Iterator[Sample]:
    for signal, unit in itertools.product(Signal, ("query", "session", "user")):
        for outcome in (Outcome.BAD, Outcome.GOOD):
            labels = {**scope, Label.SIGNAL: signal, Label.UNIT: unit, Label.OUTCOME: outcome}
            yield Metric.EVIDENCE_QUALITY, labels, 20.0


def _histograms(plain: Labels) -> Iterator[Sample]:
    for metric, known in ((Metric.HISTORY_LATENCY, LATENCY_EDGES), (Metric.HISTORY_SELECTION, SELECTION_EDGES)):
        for index, edge in enumerate((*known[:: len(known) // 6], math.inf)):
            yield f"{metric}_bucket", {**plain, "le": counters.edge_text(edge)}, 100.0 * index
        yield f"{metric}_count", plain, 700.0


def every_series(rollout: Rollout) -> tuple[Sample, ...]:
    """What a gateway shows of this run, with few edges."""
    status = rollout.status
    edges = {Quantity.LATENCY: [], Quantity.SELECTION: [], "ratio": ["1.05", "1.1", "0.9524", "0.9091"]}
    for name, quantity in (("latency", Quantity.LATENCY), ("selection", Quantity.SELECTION)):
        tail = next((latency_thresholds.edges_of(one.tail) for one in status.gates if one.name == name), None)
        if tail:
            known = {tail.control, tail.candidate, *(edge for pair in tail.further for edge in pair)}
            edges[quantity] = [counters.edge_text(edge) for edge in sorted(known)]
    edges["ratio"] += [counters.edge_text(edge) for edge in RATIO_EDGES[::9]]
    stable, tried = status.stable_variant, status.candidate_variant
    found = [
        sample
        for variant, arm in ((stable, Arm.STABLE), (stable, Arm.CONTROL), (tried, Arm.CANDIDATE), (tried, Arm.SHADOW))
        for sample in _of_arm(variant, arm, status.run_id, edges)
    ]
    for name, value in ((Metric.EVIDENCE_MEMORY, 2.5), (Metric.EVIDENCE_HISTORY, 900.0)):
        found.append((name, {Label.SAMPLER_VARIANT: status.stable_variant}, value))
    found += [(Metric.LABEL_WINDOW, {Label.UNIT: unit}, 4.0) for unit in ("query", "session", "user")]
    return tuple((str(name), {str(k): str(v) for k, v in labels.items()}, value) for name, labels, value in found)


# --- with something wrong ---


def odd_samples(samples: tuple[Sample, ...], dice: random.Random, values: tuple[float, ...]) -> list[Sample]:
    """What a gateway shows with one to six things wrong: with a sample, a family, labels, or how all have grown."""
    found = list(samples)
    for _ in range(1 + dice.randrange(6)):
        at = dice.randrange(len(found))
        name, labels, _ = found[at]
        match dice.randrange(8):
            case 0 | 1:
                found[at] = name, labels, dice.choice(values)
            case 2 | 3:
                found = _odd_family(found, name, dice, values)
            case 4:
                found.append((name, labels, dice.choice(values)))
            case 5 | 6:
                found[at] = _oddly_labelled(found[at], dice)
            case 7:
                factor = dice.choice((0.5, 2, 10, 1000))
                found = [(one, to, grown(was, factor) if dice.random() < 0.5 else was) for one, to, was in found]
    return found


def _odd_family(found: list[Sample], name: str, dice: random.Random, values: tuple[float, ...]) -> list[Sample]:
    """All of one name are gone, or show the same."""
    if dice.random() < 0.5:
        return [sample for sample in found if sample[0] != name] or found
    odd = dice.choice(values)
    return [(one, labels, odd if one == name else value) for one, labels, value in found]


def _oddly_labelled(sample: Sample, dice: random.Random) -> Sample:
    """With another value of a label, or without some; a bucket keeps an edge."""
    name, labels, value = sample
    if dice.random() < 0.5:
        return name, {key: text for key, text in labels.items() if key == "le" or dice.random() < 0.5}, value
    key = dice.choice([*labels, Label.ARM])
    return name, {**labels, key: "1.5" if key == "le" else dice.choice(TEXTS)}, value


def grown(known: float, factor: float) -> float:
    return min(known, LARGEST) * factor if known * 0 == 0 and known < LARGEST / factor else known


def by_name(samples: list[Sample]) -> dict[str, list[tuple[Mapping[str, str], float]]]:
    found: dict[str, list[tuple[Mapping[str, str], float]]] = {}
    for name, labels, value in samples:
        found.setdefault(name, []).append((labels, value))
    return found

"""Builds simulated environments for the decision core, with a default for everything irrelevant."""

import bisect
import functools
import itertools
import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from pitwall_crds import names
from pitwall_crds.edges import LATENCY_EDGES, RATIO_EDGES
from pitwall_crds.names import Arm, CacheResult, Label, Metric, Pool, Quantity, TrialKind
from pitwall_crds.reading.load import load_file
from pitwall_crds.resource import Reference
from pitwall_crds.rollout.action import Action, Verb
from pitwall_crds.rollout.rollout import Rollout, RolloutSpec
from pitwall_crds.rollout.status import RolloutStatus
from pitwall_operator.decision.decide import Decision, decide
from pitwall_operator.gates.counting.counters import edge_text
from pitwall_operator.record.lines import Line, evidence_lines
from pitwall_operator.values.effects import DrainVariant, RunVariant, SetShadow, SetSplit
from pitwall_operator.values.observation import (
    Observation,
    Past,
    PoolSeen,
    ProcessCounters,
    Reading,
    RunPlan,
    ShadowSeen,
    Share,
    SplitSeen,
    Unseen,
    VariantSeen,
)

EXAMPLES = Path(__file__).parents[2] / "examples"
REVISION = "r1"
VARIANTS = ("uniform-v1", "aks-v1", "dpp-v1")


@functools.cache
def load_rollout(name: str) -> Rollout:
    """An example; the same one to everybody, since resources are never changed in place."""
    return next(r for r in load_file(EXAMPLES / name) if isinstance(r, Rollout))


@dataclass
class Counters:
    """Cumulative counters of one gateway, in the form that a scrape gives: what it serves counts on the present run."""

    run: str = ""
    window_seconds: float = 4.0
    latencies: dict[tuple[str, str, str], dict[float, int]] = field(default_factory=dict)
    quality: dict[tuple[str, str, str, str], list[int]] = field(default_factory=dict)
    pairs: dict[tuple[str, str], dict[float, int]] = field(default_factory=dict)
    spent: dict[tuple[str, str, str], list[float]] = field(default_factory=dict)
    failed_copies: dict[tuple[str, str], int] = field(default_factory=dict)
    errors: dict[tuple[str, str, str], int] = field(default_factory=dict)
    users: dict[tuple[str, str, str], int] = field(default_factory=dict)
    silence: dict[tuple[str, str], float] = field(default_factory=dict)
    callers: dict[tuple[str, str, str, str], int] = field(default_factory=dict)
    alike: tuple[float, float] | None = None
    """The design effect of latencies, and how many users; None where gateways do not tell."""
    caches: dict[tuple[str, str, str, str], int] = field(default_factory=dict)
    excused: dict[tuple[str, str, str], int] = field(default_factory=dict)

    def meet(self, variant: str, arm: str, users: int, split: str) -> None:
        self.users[(variant, arm, split)] = self.users.get((variant, arm, split), 0) + users

    def asked_by(self, caller: str, variant: str, arm: str, questions: int) -> None:
        key = (variant, arm, self.run, caller)
        self.callers[key] = self.callers.get(key, 0) + questions

    def serve(self, variant: str, arm: str, seconds: float, count: int = 1, errors: int = 0) -> None:
        key = (variant, arm, self.run)
        values = self.latencies.setdefault(key, {})
        values[seconds] = values.get(seconds, 0) + count
        self.errors[key] = self.errors.get(key, 0) + errors

    def excuse(self, variant: str, arm: str, questions: int) -> None:
        """So many are blamed on videos' servers, beyond what counts nowhere."""
        key = (variant, arm, self.run)
        self.excused[key] = self.excused.get(key, 0) + questions

    def rate(self, variant: str, arm: str, signal: str, *, bad: int, good: int) -> None:
        counts = self.quality.setdefault((variant, arm, self.run, signal), [0, 0])
        counts[0] += bad
        counts[1] += good

    def cached(self, variant: str, arm: str, *, cold: int, warm: int) -> None:
        for result, number in ((CacheResult.COLD, cold), (CacheResult.WARM, warm)):
            key = (variant, arm, self.run, result)
            self.caches[key] = self.caches.get(key, 0) + number

    def pair(self, variant: str, ratio: float, count: int = 1) -> None:
        values = self.pairs.setdefault((variant, self.run), {})
        values[ratio] = values.get(ratio, 0) + count

    def spend(self, variant: str, arm: str, tokens: float) -> None:
        answers = self.spent.setdefault((variant, arm, self.run), [0, 0.0])
        answers[0] += 1
        answers[1] += tokens

    def fail_copy(self, variant: str) -> None:
        self.failed_copies[(variant, self.run)] = self.failed_copies.get((variant, self.run), 0) + 1

    def samples(self) -> Mapping[str, list[tuple[Mapping[str, str], float]]]:
        found: dict[str, list[tuple[Mapping[str, str], float]]] = {}
        for (variant, arm, run), values in self.latencies.items():
            scope = {Label.SAMPLER_VARIANT: variant, Label.ARM: arm}
            _histogram(found, Metric.QUERY_LATENCY, LATENCY_EDGES, values, scope)
            _histogram(found, Metric.HISTORY_LATENCY, LATENCY_EDGES, values, scope)
            scope[Label.RUN] = run
            _sides(found, values, {**scope, Label.QUANTITY: Quantity.LATENCY})
            _errors(found, values, {**scope, Label.QUANTITY: Quantity.LATENCY}, self.alike)
            failed = self.errors.get((variant, arm, run), 0)
            queries = found.setdefault(Metric.EVIDENCE_QUERIES, [])
            queries.append(({**scope, Label.OUTCOME: "error"}, failed))
            queries.append(({**scope, Label.OUTCOME: "ok"}, sum(values.values()) - failed))
        _excused(found, self.excused)
        for (variant, arm, run, signal), (bad, good) in self.quality.items():
            scope = {Label.SAMPLER_VARIANT: variant, Label.ARM: arm, Label.RUN: run, Label.SIGNAL: signal}
            quality = found.setdefault(Metric.EVIDENCE_QUALITY, [])
            for unit in ("query", "session", "user"):
                quality.append(({**scope, Label.UNIT: unit, Label.OUTCOME: "bad"}, bad))
                quality.append(({**scope, Label.UNIT: unit, Label.OUTCOME: "good"}, good))
        found[Metric.EVIDENCE_SILENCE] = [
            ({Label.SAMPLER_VARIANT: variant, Label.ARM: arm}, seconds)
            for (variant, arm), seconds in self.silence.items()
        ]
        found[Metric.EVIDENCE_CALLERS] = [
            (
                {
                    Label.SAMPLER_VARIANT: variant,
                    Label.ARM: arm,
                    Label.RUN: run,
                    Label.KIND: TrialKind.QUESTION,
                    Label.CALLER: caller,
                },
                questions,
            )
            for (variant, arm, run, caller), questions in self.callers.items()
        ]
        found[Metric.LABEL_WINDOW] = [
            ({Label.UNIT: unit}, self.window_seconds) for unit in ("query", "session", "user")
        ]
        for (variant, arm, split), users in self.users.items():
            scope = {Label.SAMPLER_VARIANT: variant, Label.ARM: arm, Label.SPLIT: split}
            found.setdefault(Metric.USERS, []).append((scope, users))
        for (variant, run), ratios in self.pairs.items():
            scope = {Label.SAMPLER_VARIANT: variant, Label.ARM: Arm.SHADOW, Label.RUN: run}
            _ratios(found, ratios, {**scope, Label.QUANTITY: Quantity.LATENCY})
            found.setdefault(Metric.EVIDENCE_PAIRS, []).append(({**scope, Label.OUTCOME: "ok"}, sum(ratios.values())))
        for (variant, arm, run), (answers, tokens) in self.spent.items():
            scope = {Label.SAMPLER_VARIANT: variant, Label.ARM: arm, Label.RUN: run, Label.QUANTITY: Quantity.TOKENS}
            found.setdefault(Metric.EVIDENCE_VALUED, []).append((scope, answers))
            found.setdefault(Metric.EVIDENCE_VALUE, []).append((scope, tokens))
        found[Metric.EVIDENCE_CACHE_QUERIES] = [
            ({Label.SAMPLER_VARIANT: variant, Label.ARM: arm, Label.RUN: run, Label.RESULT: result}, number)
            for (variant, arm, run, result), number in self.caches.items()
        ]
        for (variant, run), failed in self.failed_copies.items():
            scope = {Label.SAMPLER_VARIANT: variant, Label.ARM: Arm.SHADOW, Label.RUN: run, Label.OUTCOME: "error"}
            found.setdefault(Metric.EVIDENCE_PAIRS, []).append((scope, failed))
        return found


Samples = dict[str, list[tuple[Mapping[str, str], float]]]


def _within(values: Mapping[float, int], edges: Sequence[float]) -> list[int]:
    """How many values are not beyond each edge."""
    ordered = sorted(values)
    counted = list(itertools.accumulate((values[value] for value in ordered), initial=0))
    return [counted[bisect.bisect_right(ordered, edge)] for edge in edges]


@functools.cache
def _labels(scope: tuple[tuple[str, str], ...], label: str, edges: tuple[float, ...]) -> list[Mapping[str, str]]:
    """The labels of a series at each edge; they are the same at every turn."""
    text = str if label == "le" else edge_text
    return [{**dict(scope), label: text(edge)} for edge in edges]


def _at(scope: Mapping[str, str], edges: tuple[float, ...], label: str = Label.EDGE) -> list[Mapping[str, str]]:
    return _labels(tuple(scope.items()), label, edges)


def _excused(found: Samples, questions: Mapping[tuple[str, str, str], int]) -> None:
    for (variant, arm, run), number in questions.items():
        scope = {Label.SAMPLER_VARIANT: variant, Label.ARM: arm, Label.RUN: run}
        found.setdefault(Metric.EVIDENCE_EXCUSED, []).append((scope, number))
        for edge in (*LATENCY_EDGES, math.inf):
            left = {**scope, Label.EDGE: edge_text(edge)}
            found.setdefault(Metric.EVIDENCE_ABANDONED, []).append((left, number))


def _sides(found: Samples, values: Mapping[float, int], scope: Mapping[str, str]) -> None:
    """How many values are within each edge, and how many beyond."""
    trials = sum(values.values())
    labels, within = _at(scope, LATENCY_EDGES), _within(values, LATENCY_EDGES)
    found.setdefault(Metric.EVIDENCE_WITHIN, []).extend(zip(labels, within, strict=True))
    beyond = [trials - inside for inside in within]
    found.setdefault(Metric.EVIDENCE_BEYOND, []).extend(zip(labels, beyond, strict=True))


def _errors(
    found: Samples, values: Mapping[float, int], scope: Mapping[str, str], alike: tuple[float, float] | None
) -> None:
    """What users differ by beyond each edge."""
    if alike is None:
        return
    trials, (design, users) = sum(values.values()), alike
    for edge, within in zip(LATENCY_EDGES, _within(values, LATENCY_EDGES), strict=True):
        rate = (trials - within) / trials
        error = (rate * (1 - rate) / trials) ** 0.5
        for unit, of_unit in (("query", error), ("user", error * design**0.5)):
            at = {**scope, Label.EDGE: edge_text(edge), Label.UNIT: unit}
            found.setdefault(Metric.EVIDENCE_ERROR, []).append((at, of_unit))
    found.setdefault(Metric.EVIDENCE_USERS, []).append((scope, users))


def _ratios(found: Samples, values: Mapping[float, int], scope: Mapping[str, str]) -> None:
    within = zip(_at(scope, RATIO_EDGES), _within(values, RATIO_EDGES), strict=True)
    found.setdefault(Metric.EVIDENCE_RATIO_WITHIN, []).extend(within)
    found.setdefault(Metric.EVIDENCE_RATIOS, []).append((scope, sum(values.values())))


def _histogram(
    found: dict[str, list[tuple[Mapping[str, str], float]]],
    metric: str,
    edges: tuple[float, ...],
    values: Mapping[float, int],
    scope: Mapping[str, str],
) -> None:
    every = (*edges, math.inf)
    found.setdefault(f"{metric}_bucket", []).extend(zip(_at(scope, every, "le"), _within(values, every), strict=True))
    found.setdefault(f"{metric}_count", []).append((scope, sum(values.values())))


@dataclass
class World:
    """Flags, pools and counters that obey effects at once; time moves only when told."""

    rollout: Rollout
    now: float = 1_800_000_000.0
    pools: dict[str, dict[Pool, PoolSeen]] = field(default_factory=dict)
    revisions: dict[str, str] = field(
        default_factory=lambda: dict.fromkeys(("uniform-v1", "aks-v1", "dpp-v1"), REVISION)
    )
    split: SplitSeen | Unseen = field(default_factory=SplitSeen)
    shadow: ShadowSeen | Unseen = field(default_factory=ShadowSeen)
    counters: Counters = field(default_factory=Counters)
    further: dict[str, Counters] = field(default_factory=dict)
    experiments: dict[str, ShadowSeen] = field(default_factory=dict)
    refused: str = ""
    plan: RunPlan | None = None
    nonce: str = ""
    blind: str = ""
    pods_become_ready: bool = True
    stuck: set[tuple[str, str]] = field(default_factory=set)
    flags_refuse: bool = False
    past: Past | Unseen = field(default_factory=Past)
    failures: tuple[str, ...] = ()
    elsewhere: dict[str, str] | Unseen = field(default_factory=dict)
    applied: list[object] = field(default_factory=list)

    @property
    def status(self) -> RolloutStatus:
        return self.rollout.status

    def seen(self) -> Observation:
        variants = {
            name: VariantSeen(revision, full_replicas=1, pools=self.pools.get(name, {}))
            for name, revision in self.revisions.items()
        }
        processes = {"gateway": self.counters, **self.further}
        sources = {name: ProcessCounters(self.now - 1e6, counters.samples()) for name, counters in processes.items()}
        reading = Unseen(self.blind) if self.blind else Reading(self.now, sources)
        asked = {experiment.variant_ref.name for experiment in self.rollout.spec.experiments}
        experiments = {name: self.experiments.get(name, ShadowSeen()) for name in asked | set(self.status.experiments)}
        past, failures = self.past, self.failures
        return Observation(
            self.now,
            variants,
            self.split,
            self.shadow,
            reading,
            experiments,
            self.refused,
            self.plan,
            past,
            failures,
            self.nonce,
            self.elsewhere,
        )

    def turn(self, seconds: float = 1.0) -> Decision:
        """Let time pass, decide, obey."""
        self.now += seconds
        decision = decide(self.rollout, self.seen())
        for effect in decision.effects:
            self.obey(effect)
        self.rollout = self.rollout.model_copy(update={"status": decision.status})
        return decision

    def turn_or_crash(self, chance: random.Random, crashes: float) -> list[Line]:
        """What a turn adds to the record; so often the operator dies before it writes the status."""
        before = self.rollout
        if chance.random() < crashes:
            self.now += 2
            return evidence_lines(before, decide(before, self.seen()))
        return evidence_lines(before, self.turn(chance.choice([0.3, 1, 3])))

    def obey(self, effect: object) -> None:
        self.applied.append(effect)
        match effect:
            case RunVariant(variant, revision, pool, replicas):
                ready = replicas if self.pods_become_ready and (variant, revision) not in self.stuck else 0
                self.pools.setdefault(variant, {})[pool] = PoolSeen(revision, replicas, ready)
            case DrainVariant(variant, pool):
                self.pools[variant].pop(pool)
            case SetSplit() if self.flags_refuse:
                return
            case SetSplit(_, shares, salt, _, fallback):
                killed = self.split.killed if isinstance(self.split, SplitSeen) else ""
                self.split = SplitSeen(shares, salt, killed, candidate_fallback=fallback)
                self.counters.run = salt
            case SetShadow(flag, variant, percent, salt, _) if flag.endswith(".shadow"):
                self.shadow = ShadowSeen(variant, percent, salt) if percent else ShadowSeen()
            case SetShadow(_, variant, percent, _, _):
                self.experiments[variant] = ShadowSeen(variant, percent) if percent else ShadowSeen()

    def kill(self) -> None:
        """The kill switch, as the flag service carries it out: everybody is on stable, for good."""
        assert isinstance(self.split, SplitSeen)
        rest = (Share(Arm.STABLE, self.split.default, names.FULL_WEIGHT),)
        self.split = SplitSeen(rest, self.split.salt, "version 9", self.split.salt)
        self.shadow = ShadowSeen()

    def release(self) -> None:
        """The end of a kill: what was written last applies."""
        assert isinstance(self.split, SplitSeen)
        self.split = replace(self.split, killed="")

    def make_anew(self, past: Past | None = None) -> None:
        """The Rollout is deleted and applied again, as by `kubectl replace --force` or from a backup."""
        metadata = self.rollout.metadata.model_copy(update={"uid": self.rollout.metadata.uid + "'"})
        self.rollout = self.rollout.model_copy(update={"status": RolloutStatus(), "metadata": metadata})
        self.past = past or Past()

    def edit(self, variant: str, revision: str) -> None:
        """Another spec of a variant is applied."""
        self.revisions[variant] = revision

    def point_at(self, variant: str) -> None:
        """Edit spec.variantRef."""
        self.want(variant_ref=Reference(name=variant))

    def ask(self, verb: Verb) -> None:
        """A person's request."""
        self.want(action=Action(id=f"{self.now}", verb=verb, actor="ada"))

    def start_pods(self) -> None:
        """All pods of all pools become ready."""
        self.stuck.clear()
        self.pods_become_ready = True
        for pools in self.pools.values():
            for pool, seen in pools.items():
                pools[pool] = replace(seen, ready=seen.desired)

    def want(self, **spec: object) -> None:
        """Edit the Rollout's spec."""
        changed: RolloutSpec = self.rollout.spec.model_copy(update=spec)
        metadata = self.rollout.metadata.model_copy(update={"generation": self.rollout.metadata.generation + 1})
        self.rollout = self.rollout.model_copy(update={"spec": changed, "metadata": metadata})

    def apply(self, name: str) -> None:
        """Apply one of the example rollouts over this one."""
        self.want(**dict(load_rollout(name).spec))

    def weight(self, arm: Arm) -> int:
        assert isinstance(self.split, SplitSeen)
        return sum(share.weight for share in self.split.shares if share.arm is arm)

    def shares(self) -> tuple[Share, ...]:
        assert isinstance(self.split, SplitSeen)
        return self.split.shares

    def good_block(self, candidate: str = "aks-v1", stable: str = "uniform-v1") -> None:
        """One block in which the candidate does as well as the control, everywhere it has traffic."""
        self.block(candidate, stable, candidate_seconds=0.01, bad=2, good=8)

    def block(
        self, candidate: str, stable: str = "uniform-v1", *, candidate_seconds: float, bad: int, good: int
    ) -> None:  # fmt: skip
        self.counters.serve(stable, Arm.STABLE, 0.01, 18)
        self.counters.serve(stable, Arm.STABLE, 0.1, 2)
        if isinstance(self.shadow, ShadowSeen) and (self.shadow.variant, self.shadow.percent) == (candidate, 50):
            self.counters.pair(candidate, candidate_seconds / 0.01, 20)
        for arm, variant, seconds, counts in (
            (Arm.CONTROL, stable, 0.01, (2, 8)),
            (Arm.CANDIDATE, candidate, candidate_seconds, (bad, good)),
        ):
            if self.weight(arm):
                self.counters.serve(variant, arm, seconds, 18)
                self.counters.serve(variant, arm, max(seconds, 0.1), 2)
                for signal in ("thumbs_down", "follow_up"):
                    self.counters.rate(variant, arm, signal, bad=counts[0], good=counts[1])

    def to_canary(self) -> "World":
        """A good candidate with its first users."""
        self.apply("rollout-aks.yaml")
        return self.until(lambda w: w.weight(Arm.CANDIDATE) > 0, self.good_block)

    def reasons(self) -> list[str]:
        return [entry.reason for entry in self.status.history]

    def condition(self, kind: str) -> tuple[str, str]:
        return next((c.status, c.reason) for c in self.status.conditions if c.type == kind)

    def until(self, done: Callable[["World"], bool], block: Callable[[], None], limit: int = 400) -> "World":
        """Turns with blocks until something holds; fails if it never does."""
        for _ in range(limit):
            if done(self):
                return self
            block()
            self.turn()
        raise AssertionError(f"never happened in {limit} blocks: {self.status.phase}, {self.status.reason}")


@pytest.fixture
def cold_world() -> World:
    """A world in which nothing runs yet and no pod becomes ready."""
    return World(load_rollout("rollout.yaml"), pods_become_ready=False)


@pytest.fixture
def world() -> World:
    """A world in which uniform-v1 serves everybody."""
    return world_at_rest()


@pytest.fixture(scope="session")
def new_world() -> Callable[[], World]:
    """Makes such worlds, for what several tests begin with."""
    return world_at_rest


def world_at_rest() -> World:
    start = World(load_rollout("rollout.yaml"))
    for _ in range(3):
        start.turn()
    start.counters.serve("uniform-v1", Arm.STABLE, 0.01, 180)
    start.counters.serve("uniform-v1", Arm.STABLE, 0.1, 20)
    return start


@pytest.fixture
def fork() -> Callable[[World], World]:
    """A copy of a world as a restarted operator finds it: statuses through JSON, nothing else remembered."""

    def copy(world: World) -> World:
        text = world.rollout.model_dump_json(by_alias=True)
        return replace(
            world, rollout=Rollout.model_validate_json(text), pools={k: dict(v) for k, v in world.pools.items()}
        )

    return copy

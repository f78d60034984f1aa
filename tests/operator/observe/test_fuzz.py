"""Fuzzers: whatever Prometheus answers and a process exports, there are counts or words why not.

`make soak` makes PITWALL_FUZZ_INPUTS of each kind; docs/security.md tells of the largest runs.
"""

import asyncio
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
import requests
from harness.fuzzing import ODD, as_json, damaged, fuzz, seed_of, some_or_many, with_odd_bytes
from harness.odd_counters import COUNTS, CountingScene, Sample, odd_samples, scenes_of

from pitwall_operator.decision.decide import decide
from pitwall_operator.gates.counting import counters, latency_thresholds
from pitwall_operator.observe.countable import LARGEST
from pitwall_operator.observe.prometheus import CounterSnapshot, PrometheusSource
from pitwall_operator.observe.promql import interest
from pitwall_operator.observe.scrape import parse
from pitwall_operator.values.observation import ProcessCounters, Reading, Unseen


@pytest.fixture
def scenes(world: Any) -> list[CountingScene]:
    return scenes_of(world)


# --- what a process exports ---


EXPORTED = (*COUNTS, -1, -0.5, math.nan, math.inf, -math.inf, 1e308, 2**53 + 2, 10**400)
LINES = (
    b"", b"\n", b"# TYPE x wrong\n", b"{", b"}", b'"', b",", b" ", b"\t", b"\x00", b"\xff",
    b"\\", b'="', b"NaN", b"+Inf",
    b"-1", b"0x1", b"1_0", b" 1 2 3", b'{" "="x"}', b"{ }", b"\\n", b"9" * 5000, b"#", b' # {a="b"} 1', b"1e400",
    b"_bucket", b'le="x"', b"# HELP \xc2\xa0 1\n",
)  # fmt: skip


def exposition(samples: list[Sample]) -> bytes:
    def spelled(text: str) -> str:
        return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')

    lines = ["process_start_time_seconds 1700000000.5"]
    for name, labels, value in samples:
        inner = ",".join(f'{key}="{spelled(text)}"' for key, text in labels.items())
        lines.append(f"{name}{{{inner}}} {value}")
    return "\n".join(lines).encode("utf-8", "surrogatepass")


def odd_exposition(scenes: list[CountingScene], dice: random.Random) -> bytes:
    some = dice.choice(scenes).samples
    at = dice.randrange(len(some) - 30)
    values = EXPORTED if dice.random() < 0.3 else COUNTS
    body = exposition(odd_samples(some[at : at + 30], dice, values))
    for _ in range(dice.randrange(3)):
        body = with_odd_bytes(body, dice, LINES)
    return body


def judge_exposition(scenes: list[CountingScene], body: bytes) -> None:
    try:
        found = parse(body.decode(errors="replace"))
    except ValueError:  # whose words `scrape` tells
        return
    for scene in scenes[:: len(scenes) // 4]:
        judge_counters(scene, found)


def judge_counters(scene: CountingScene, found: ProcessCounters) -> None:
    """Numbers that a counter may show, of which each gate makes counts."""
    assert 0 <= found.start_time <= LARGEST
    assert all(0 <= value <= LARGEST for series in found.samples.values() for _, value in series)
    status = scene.rollout.status
    run = counters.Run(status.stable_variant, status.candidate_variant, status.run_id)
    tails = {one.name: latency_thresholds.edges_of(one.tail) for one in status.gates}
    for gate in scene.rollout.spec.analysis.gates:
        counted = counters.totals(found, gate, tails[gate.name], run)
        assert 0 <= counted.candidate.bad <= counted.candidate.trials
        if gate.quantile:
            history = counters.tail_history(Reading(0.0, {"x": found}), gate.quantile.metric, run.stable)
            assert all(count >= 0 for count in history)


# --- what Prometheus answers ---


ENTRY = {"metric": {"__name__": "pitwall_x", "namespace": "shop", "pod": "gateway-0"}, "value": [1.8e9, "7"]}
VALUES = (
    *ODD, "NaN", "+Inf", "-Inf", "-1", "1e999", "1e308", "9007199254740994", "0x10", "1_000", " 7 ", "١", "seven", 7,
    7.5, [1, "7"], [1.8e9], "pitwall_evidence_queries_total", {"namespace": "shop"}, ENTRY, [ENTRY] * 2, "le", "\u202e",
)  # fmt: skip
STATUSES = (200,) * 20 + (400, 401, 422, 429, 500, 503, 301, 204)


class OddPrometheus(requests.adapters.BaseAdapter):
    """A server whose answers are about what is asked, with something wrong now and then."""

    def __init__(self) -> None:
        super().__init__()
        self.scene: CountingScene | None = None
        self.dice, self.odds, self.answered = random.Random(0), 0.1, 0
        self.said: list[bytes] = []

    def send(self, request: requests.PreparedRequest, **_: Any) -> requests.Response:  # type: ignore[override]
        self.answered += 1
        is_odd = self.dice.random() < self.odds
        document: Any = {"status": "success", "data": {"resultType": "vector", "result": self._result(request)}}
        if is_odd:
            document = damaged(
                document, self.dice, faults=1 + self.dice.randrange(2), keys=KEYS, odd=VALUES, deeper=0.93
            )
        body = as_json(document)
        response = requests.Response()
        response.status_code = self.dice.choice(STATUSES) if is_odd else 200
        response._content = with_odd_bytes(body, self.dice) if is_odd and self.dice.random() < 0.3 else body
        response.url, response.request = str(request.url), request
        if is_odd:
            self.said.append(response._content[:1500])
        return response

    def _result(self, request: requests.PreparedRequest) -> list[Any]:
        query = requests.utils.unquote(str(request.url).partition("query=")[2].partition("&")[0]).replace("+", " ")
        assert self.scene is not None
        target = {"namespace": "shop", "pod": "pitwall-gateway-6c8d9-x2x4z", "instance": "10.0.0.1:1", "job": "pitwall"}
        if query.startswith("vector"):
            return [{"metric": {}, "value": [self.scene.at, str(self.scene.at)]}]
        if query.startswith("timestamp"):
            return [{"metric": target, "value": [self.scene.at, str(self.scene.at - 1)]}]
        if query.startswith("process_start"):
            return [
                {"metric": {**target, "__name__": "process_start_time_seconds"}, "value": [self.scene.at, "1700000000"]}
            ]
        if query.startswith("up"):
            return [{"metric": {**target, "__name__": "up"}, "value": [self.scene.at, "1"]}]
        if " by " in query:
            return [{"metric": {"namespace": "shop", "sampler_variant": "aks-v1"}, "value": [self.scene.at, "0.5"]}]
        return [
            {"metric": {**target, "__name__": name, **labels}, "value": [self.scene.at, str(value)]}
            for name, labels, value in self.scene.samples
            if name in query
        ][:40]

    def close(self) -> None:
        return


KEYS = ("extra", "__name__", "le", "namespace", "metric", "value")


def in_shop(scene: CountingScene) -> CountingScene:
    metadata = scene.rollout.metadata.model_copy(update={"namespace": "shop"})
    return replace(scene, rollout=scene.rollout.model_copy(update={"metadata": metadata}))


@dataclass
class OddReader:
    """The reader of one odd Prometheus."""

    scenes: list[CountingScene]
    runner: asyncio.Runner
    server: OddPrometheus
    source: PrometheusSource

    def judge(self, seed: int) -> None:
        self.server.dice, self.server.said = random.Random(seed), []
        scene = self.server.scene = in_shop(self.scenes[seed % len(self.scenes)])
        try:
            self._read(scene)
        except Exception as error:
            raise AssertionError(f"{type(error).__name__}: {error} after {self.server.said}") from error

    def _read(self, scene: CountingScene) -> None:
        mine = interest(scene.rollout)
        snapshot = self.runner.run(self.source.read([mine]))
        if isinstance(snapshot, CounterSnapshot):
            assert math.isfinite(snapshot.asked_for)
        seen = snapshot.reading(mine, 60.0) if isinstance(snapshot, CounterSnapshot) else snapshot
        if isinstance(seen, Reading):
            for found in seen.sources.values():
                judge_counters(scene, found)
        else:
            assert 0 < len(seen.reason) <= 1000
        decide(scene.rollout, replace(scene.seen, now=scene.at + 4, reading=seen)).status.model_dump_json()
        metrics = self.runner.run(self.source.variant_metrics([mine]))
        if not isinstance(metrics, Unseen):
            for one in metrics.values():
                assert not {"inf", "nan", "-"} & {text.strip("%s") for text in one.model_dump().values()}
                assert all("-" not in text and len(text) <= 16 for text in one.model_dump().values()), one


@pytest.fixture
def prometheus(scenes: list[CountingScene]) -> Iterator[OddReader]:
    server, source = OddPrometheus(), PrometheusSource("http://odd", clock=lambda: 1_800_000_000.0)
    source._client._session.mount(source.url, server)
    with asyncio.Runner() as runner:
        yield OddReader(scenes, runner, server, source)
    source.close()


@some_or_many(200)
def test_whatever_a_process_exports_is_counts_or_refused(scenes, number):
    def judge(body: bytes) -> None:
        judge_exposition(scenes, body)

    fuzz("expositions", lambda dice: odd_exposition(scenes, dice), judge, number, seed=seed_of(number))


@some_or_many(200)
def test_whatever_prometheus_answers_is_counts_or_told(prometheus, number):
    """So many answers, some twenty to a reading."""
    began = prometheus.server.answered
    dice = random.Random(seed_of(number))
    while prometheus.server.answered - began < number:
        fuzz("answers", lambda dice: dice.randrange(2**32), prometheus.judge, 1, seed=dice.randrange(2**32))

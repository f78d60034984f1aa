"""Counters through a real Prometheus, and each way in which there are none, in words of its own."""

import asyncio
import contextlib
import http.server
import json
import math
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, start_http_server

from pitwall_crds.edges import LATENCY_EDGES
from pitwall_crds.host.sockets import free_port
from pitwall_crds.names import Metric, Quantity
from pitwall_crds.reading.load import load_file
from pitwall_crds.rollout.rollout import Rollout
from pitwall_crds.rollout.status import TailStatus
from pitwall_operator.decision.weighing.analyze import fresh_gates
from pitwall_operator.gates.counting import counters
from pitwall_operator.observe import promql
from pitwall_operator.observe.prometheus import PrometheusSource
from pitwall_operator.observe.promql import Interest, interest
from pitwall_operator.observe.snapshot import CounterSnapshot, processes_of
from pitwall_operator.values.observation import Reading, Unseen

GATEWAY = "pitwall-gateway-7d9f8b6c5d-x2x4z"
BOTH = frozenset({"uniform-v1", "aks-v1"})
EXAMPLES = Path(__file__).parents[3] / "examples"


def moving(*, frozen: bool = False, name: str = "sampler", candidate: str = "aks-v1") -> Rollout:
    rollout = next(one for one in load_file(EXAMPLES / "rollout-aks.yaml") if isinstance(one, Rollout))
    gates = fresh_gates(rollout.spec)
    if frozen:
        tail = TailStatus(control="1.024", candidate="1.0")
        gates = tuple(gate.model_copy(update={"tail": tail}) for gate in gates)
    status = rollout.status.model_copy(
        update={
            "stable_variant": "uniform-v1",
            "candidate_variant": candidate,
            "gates": gates,
            "plan": ("about 3 days",) if frozen else (),
        }
    )
    metadata = rollout.metadata.model_copy(update={"namespace": "shop", "name": name})
    return rollout.model_copy(update={"status": status, "metadata": metadata})


# --- PromQL ---


def test_what_is_read_is_what_the_gates_count():
    samples = interest(moving()).samples
    assert samples["pitwall_history_latency_seconds_bucket"] is None
    assert {Metric.EVIDENCE_QUERIES, Metric.EVIDENCE_QUALITY, Metric.EVIDENCE_PAIRS} <= samples.keys()
    assert Metric.EVIDENCE_VALUE not in samples  # no gate asks for it


def test_frozen_thresholds_need_two_edges_instead_of_a_hundred():
    samples = interest(moving(frozen=True)).samples
    assert samples[Metric.EVIDENCE_WITHIN] == samples[Metric.EVIDENCE_BEYOND] == {"1.024", "1.0"}
    assert "pitwall_history_latency_seconds_bucket" not in samples  # the history is needed no more


def test_until_a_run_is_planned_the_traffic_is_read_too():
    frozen = moving(frozen=True)
    unplanned = interest(frozen.model_copy(update={"status": frozen.status.model_copy(update={"plan": ()})})).samples
    assert Metric.QUERIES not in interest(frozen).samples
    assert unplanned[Metric.QUERIES] is None
    assert unplanned["pitwall_history_latency_seconds_bucket"] is None
    assert unplanned[Metric.EVIDENCE_BEYOND] == {"1.024", "1.0"}


def test_one_query_per_family_for_all_rollouts():
    queries = promql.counter_queries([interest(moving()), interest(moving(frozen=True, candidate="dpp-v1"))], 'job="g"')
    latency = [query for query in queries if "pitwall_history_latency_seconds" in query or "evidence_beyond" in query]
    assert latency == [
        '{__name__=~"pitwall_evidence_beyond_total",sampler_variant=~"dpp\\\\-v1|uniform\\\\-v1",namespace=~"|shop",job="g",edge=~"1\\\\.0|1\\\\.024"}',
        '{__name__=~"pitwall_history_latency_seconds_bucket|pitwall_history_latency_seconds_count",'
        'sampler_variant=~"aks\\\\-v1|uniform\\\\-v1",namespace=~"|shop",job="g"}',
    ]
    assert len(queries) == len({query.split(",")[0] for query in queries})


# --- a real Prometheus ---


class ScrapedGateway:
    """A process that counts as a gateway does."""

    def __init__(self) -> None:
        registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        labels = ("sampler_variant", "arm")
        self.latencies = [  # that of people's dashboards, and that of thresholds
            Histogram(name, "…", labels, registry=registry, buckets=LATENCY_EDGES)
            for name in (Metric.QUERY_LATENCY, Metric.HISTORY_LATENCY)
        ]
        run = (*labels, "run")
        self.queries = Counter(Metric.EVIDENCE_QUERIES, "…", (*run, "outcome"), registry=registry)
        self.beyond = Counter(Metric.EVIDENCE_BEYOND, "…", (*run, "quantity", "edge"), registry=registry)
        self.window = Gauge(Metric.LABEL_WINDOW, "…", ("unit",), registry=registry)
        self.window.labels("query").set(90)
        self.port = free_port()
        self._server, self._thread = start_http_server(self.port, addr="127.0.0.1", registry=registry)

    def answer(self, variant: str, arm: str, seconds: float) -> None:
        for latency in self.latencies:
            latency.labels(variant, arm).observe(seconds)
        self.queries.labels(variant, arm, "run-1", "ok").inc()
        for edge in LATENCY_EDGES:
            if edge < seconds:
                self.beyond.labels(variant, arm, "run-1", "latency", counters.edge_text(edge)).inc()

    def end(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def gateway() -> Iterator[ScrapedGateway]:
    started = ScrapedGateway()
    yield started
    with contextlib.suppress(OSError):
        started.end()


@pytest.fixture
def server(tmp_path: Path, gateway: ScrapedGateway) -> Iterator[str]:
    """A Prometheus that scrapes the gateway four times a second."""
    binary = shutil.which("prometheus")
    if binary is None:
        pytest.skip("no prometheus on PATH: run scripts/servers.sh as root")
    target = {"targets": [f"127.0.0.1:{gateway.port}"], "labels": {"namespace": "shop", "pod": GATEWAY}}
    job = {"job_name": "pitwall", "scrape_interval": "250ms", "scrape_timeout": "250ms", "static_configs": [target]}
    (tmp_path / "prometheus.yml").write_text(json.dumps({"scrape_configs": [job]}))
    port = free_port()
    command = [binary, f"--config.file={tmp_path}/prometheus.yml", f"--storage.tsdb.path={tmp_path}/data"]
    process = subprocess.Popen([*command, f"--web.listen-address=127.0.0.1:{port}"], stderr=subprocess.DEVNULL)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait(10)


async def read(client: PrometheusSource, one: Interest, until: Callable[[Any], bool]) -> Any:
    """What a rollout sees, as soon as it is so."""
    deadline = time.monotonic() + 60
    while True:
        snapshot = await client.read([one])
        seen = snapshot.reading(one, stale_seconds=2.0) if isinstance(snapshot, CounterSnapshot) else snapshot
        if until(seen):
            return seen
        assert time.monotonic() < deadline, seen
        await asyncio.sleep(0.1)


@pytest.mark.slow
async def test_counters_are_read_as_they_were_counted(server, gateway):
    for _ in range(7):
        gateway.answer("uniform-v1", "control", 0.5)
    gateway.answer("aks-v1", "candidate", 30.0)
    client = PrometheusSource(server)
    reading = await read(client, interest(moving()), lambda seen: isinstance(seen, Reading))
    frozen = await read(client, interest(moving(frozen=True)), lambda seen: isinstance(seen, Reading))
    client.close()

    (identity,) = reading.sources
    source = reading.sources[identity]
    assert identity.startswith(f"shop/{GATEWAY}/")
    assert source.start_time == pytest.approx(time.time(), abs=3600)
    edges = LATENCY_EDGES
    control = {"sampler_variant": "uniform-v1", "arm": "control"}
    assert counters.cumulative(source, Metric.HISTORY_LATENCY, edges, **control)[-1] == 7
    assert counters.total(source, Metric.EVIDENCE_QUERIES, **control, run="run-1") == 7
    assert counters.total(source, Metric.LABEL_WINDOW, unit="query") == 90
    (gateway_alone,) = frozen.sources.values()
    candidate = {"sampler_variant": "aks-v1", "arm": "candidate", "run": "run-1"}
    assert counters.beyond(gateway_alone, Quantity.LATENCY, 1.024, **candidate).bad == 1


@pytest.mark.slow
async def test_a_gateway_that_ended_is_no_data_and_other_namespaces_are_not_seen(server, gateway):
    gateway.answer("uniform-v1", "stable", 0.5)
    client, mine = PrometheusSource(server), interest(moving())
    await read(client, mine, lambda seen: isinstance(seen, Reading))
    elsewhere = Interest("elsewhere", mine.variants, mine.samples)
    unseen = await read(client, elsewhere, lambda seen: True)
    assert isinstance(unseen, Unseen)
    assert unseen.reason.startswith("no gateway: Prometheus scrapes none in namespace 'elsewhere'")

    gateway.end()
    unseen = await read(client, mine, lambda seen: isinstance(seen, Unseen))
    client.close()
    assert unseen.reason.startswith("no data")


@pytest.mark.slow
async def test_samples_that_are_too_old_are_stale(server, gateway):
    gateway.answer("uniform-v1", "stable", 0.5)
    client, mine = PrometheusSource(server), interest(moving())
    await read(client, mine, lambda seen: isinstance(seen, Reading))
    snapshot = await client.read([mine])
    client.close()
    assert isinstance(snapshot, CounterSnapshot)
    seen = snapshot.reading(mine, stale_seconds=-1.0)
    assert isinstance(seen, Unseen)
    assert seen.reason.startswith("stale: the newest sample is 0 s old")


@pytest.mark.slow
@pytest.mark.parametrize("ahead", [3600.0, -3600.0], ids=["an hour ahead", "an hour behind"])
async def test_a_clock_that_is_wrong_here_reads_the_same_counters(server, gateway, ahead):
    """Each rollout's moment is by the clock that its decision goes by; Prometheus is asked by its own."""
    client, mine = PrometheusSource(server, clock=lambda: time.time() + ahead), interest(moving())
    gateway.answer("aks-v1", "candidate", 0.5)
    seen = await read(client, mine, lambda seen: isinstance(seen, Reading))
    client.close()
    assert abs(seen.time - time.time() - ahead) < 5


@pytest.mark.slow
async def test_the_metrics_of_all_variants_are_computed_at_once(server, gateway):
    client, deadline = PrometheusSource(server), time.monotonic() + 60
    while True:
        gateway.answer("uniform-v1", "stable", 0.5)
        found = await client.variant_metrics([interest(moving())])
        if not isinstance(found, Unseen) and found and found[("shop", "uniform-v1")].latency_p50:
            break
        assert time.monotonic() < deadline, found
        await asyncio.sleep(0.1)
    client.close()
    assert found[("shop", "uniform-v1")].latency_p50.endswith("ms")


# --- answers that are none ---


class Answering(http.server.BaseHTTPRequestHandler):
    status, body, pause = 200, b"", 0.0

    def do_POST(self) -> None:
        time.sleep(self.pause)
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_: Any) -> None:
        return


class DrippingPrometheus(Answering):
    """Answers in drops, as chunks or as the parts of one long body, and stops when nobody listens any more."""

    chunked = False

    def do_POST(self) -> None:
        self.protocol_version = "HTTP/1.1"
        self.send_response(200)
        self.send_header(*(("Transfer-Encoding", "chunked") if self.chunked else ("Content-Length", "9999999")))
        self.end_headers()
        with contextlib.suppress(OSError):
            for _ in range(600):
                self.wfile.write(b"1\r\n \r\n" if self.chunked else b" ")
                self.wfile.flush()
                time.sleep(0.1)


@pytest.fixture
def answering() -> Iterator[Callable[..., str]]:
    servers = []

    def start(status: int, body: bytes, pause: float = 0.0, kind: type = Answering, **more: Any) -> str:
        handler = type("Handler", (kind,), {"status": status, "body": body, "pause": pause, **more})
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        servers.append((server, thread))
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("status", "body", "pause", "words"),
    [
        pytest.param(
            422, b'{"status":"error","error":"boom"}', 0, "Prometheus refuses: HTTP Status Code 422", id="422"
        ),
        pytest.param(401, b"", 0, "Prometheus refuses: HTTP Status Code 401", id="not allowed"),
        pytest.param(200, b"<html>log in</html>", 0, "is not Prometheus'", id="a login page"),
        pytest.param(200, b'{"data":{}}', 0, "is not Prometheus'", id="other JSON"),
        pytest.param(200, b'{"data":{"result":[{"metric":{},"value":["x"]}]}}', 0, "is not Prometheus'", id="no value"),
        pytest.param(200, b'{"data":{"result":[{"metric":["x"],"value":[1,"2"]}]}}', 0, "must be text", id="no labels"),
        pytest.param(200, b'{"data":{"result":[{"metric":{"a":{}},"value":[1,"2"]}]}}', 0, "must be text", id="a map"),
        pytest.param(
            200, b'{"data":{"result":[{"metric":{"a":"\\ud800"},"value":[1,"2"]}]}}', 0, "surrogates not", id="a half"
        ),
        pytest.param(200, b'{"data":{"result":[{"metric":{},"value":[1,2]}]}}', 0, "must be text", id="no text"),
        pytest.param(200, b'{"data":{"result":[{"metric":{},"value":[1,"NaN"]}]}}', 0, "no time", id="never"),
        pytest.param(200, b"[" * 100_000, 0, "is not Prometheus': RecursionError", id="nested"),
        pytest.param(500, b"\x1b[2J", 0, "Prometheus refuses: HTTP", id="not printable"),
        pytest.param(200, b"{}", 10, "Prometheus is down.*[Tt]imed? ?out", id="slow"),
    ],
)
async def test_each_answer_that_is_none_has_its_words(answering, status, body, pause, words):
    client = PrometheusSource(answering(status, body, pause), timeout_seconds=1 if pause else 30)
    seen = await client.read([interest(moving())])
    client.close()
    assert isinstance(seen, Unseen)
    assert re.search(words, seen.reason), seen.reason


def snapshot_of(**values: str) -> CounterSnapshot:
    """One series of each pod, of the namespace `shop`, as it was read."""
    series = [
        ({"__name__": Metric.QUERIES, "namespace": "shop", "pod": pod, "job": pod, "sampler_variant": "aks-v1"}, value)
        for pod, value in zip(values, map(float, values.values()), strict=True)
    ]
    began = [({"namespace": "shop", "pod": pod, "job": pod}, 1.0) for pod in values]
    processes = processes_of([series], began, [], {("gateway", ""), ("odd", "")})
    return CounterSnapshot(0.0, 0.0, processes, frozenset({("shop", BOTH)}), frozenset({"shop"}))


@pytest.mark.parametrize("value", ["NaN", "inf", "-1", "1e300"])
def test_a_gateway_that_shows_what_nothing_counts_is_named_and_nothing_is_measured(value):
    one = Interest("shop", BOTH)

    assert isinstance(snapshot_of(gateway="7", stranger=value).reading(one, 60), Reading)
    seen = snapshot_of(gateway="7", odd=value).reading(one, 60)
    assert isinstance(seen, Unseen)
    assert re.search(
        rf"no counts: shop/odd/.*@1: pitwall_queries_total is {float(value):g}".replace("+", r"\+"), seen.reason
    )


def test_a_pod_that_two_jobs_scrape_by_two_addresses_is_one_gateway_as_it_was_scraped_last():
    jobs = {"pods": ("10.0.0.7:9464", 7.0, 90.0), "annotated": ("node-3", 6.0, 80.0)}
    named = {"namespace": "shop", "pod": "gateway-a"}
    targets = {job: {**named, "job": job, "instance": instance} for job, (instance, _, _) in jobs.items()}
    shown = [
        ({**targets[job], "__name__": Metric.QUERIES, "sampler_variant": "aks-v1"}, value)
        for job, (_, value, _) in jobs.items()
    ]
    began = [(target, 12.34) for target in targets.values()]
    scraped = [(targets[job], at) for job, (_, _, at) in jobs.items()]
    fitting = {(job, instance) for job, (instance, _, _) in jobs.items()}
    processes = processes_of([shown], began, scraped, fitting)
    snapshot = CounterSnapshot(100.0, 100.0, processes, frozenset({("shop", BOTH)}), frozenset({"shop"}))

    seen = snapshot.reading(Interest("shop", BOTH), 60)
    assert isinstance(seen, Reading)
    assert list(seen.sources) == ["shop/gateway-a/10.0.0.7:9464@12"]
    (((_, value),),) = (tuple(series) for source in seen.sources.values() for series in source.samples.values())
    assert value == 7.0


@pytest.mark.parametrize("chunked", [False, True], ids=["one long body", "chunks"])
async def test_an_answer_that_comes_in_drops_is_none(answering, chunked):
    client = PrometheusSource(answering(200, b"", kind=DrippingPrometheus, chunked=chunked), timeout_seconds=1)
    async with asyncio.timeout(20):
        seen = await client.query("up")
    client.close()
    assert isinstance(seen, Unseen)
    assert re.search(r"Prometheus is down: .* no whole answer", seen.reason)
    async with asyncio.timeout(20):
        await asyncio.to_thread(client._threads.shutdown)  # no thread goes on reading


async def test_an_answer_without_end_is_none(answering):
    client = PrometheusSource(answering(200, b" " * 1001), most_bytes=1000)
    seen = await client.query("up")
    client.close()
    assert isinstance(seen, Unseen)
    assert seen.reason.startswith("too much data: what Prometheus has of these variants is longer than 1000 bytes; ")
    assert len(seen.reason) <= 256, "a status says no more"


class CrowdedPrometheus(Answering):
    """Tells the time, and one series of each family where only `quiet` is asked about; of `loud` it tells many."""

    def do_POST(self) -> None:
        query, series = parse_qs(urlsplit(self.path).query)["query"][0], []
        for namespace, count in (("quiet", 1), ("loud", 200)):
            if re.search(rf'namespace=~"[^"]*\|{namespace}\b', query):
                labels = {"__name__": "pitwall_users", "namespace": namespace, "sampler_variant": "aks-v1", "job": "g"}
                series += [{"metric": labels | {"split": str(number)}, "value": [1, "1"]} for number in range(count)]
        told = series if "namespace" in query else [{"metric": {}, "value": [1, str(time.time())]}]
        self.body = json.dumps({"status": "success", "data": {"resultType": "vector", "result": told}}).encode()
        with contextlib.suppress(OSError):  # who has no room for it listens no more
            super().do_POST()


async def test_who_has_too_many_series_blinds_the_rollouts_of_no_other_namespace(answering):
    one = interest(moving())
    loud, quiet = (replace(one, namespace=namespace) for namespace in ("loud", "quiet"))
    client = PrometheusSource(answering(200, b"", kind=CrowdedPrometheus), most_bytes=20_000)
    alone, both = await client.read([loud]), await client.read([loud, quiet])
    client.close()

    assert isinstance(alone, Unseen)
    assert isinstance(both, CounterSnapshot)
    seen, unseen = both.reading(quiet, math.inf), both.reading(loud, math.inf)
    assert isinstance(seen, Reading)
    assert [identity.split("/")[0] for identity in seen.sources] == ["quiet"]
    assert isinstance(unseen, Unseen)
    assert unseen.reason.startswith("too much data")


class RefusingPrometheus(CrowdedPrometheus):
    """As one that may not read so many samples: it refuses whatever asks for the loud namespace."""

    def do_POST(self) -> None:
        if "|loud" in parse_qs(urlsplit(self.path).query)["query"][0]:
            self.status, self.body = 422, b'{"status":"error","error":"too many samples"}'
            Answering.do_POST(self)
        else:
            super().do_POST()


async def test_what_prometheus_refuses_of_one_namespace_blinds_no_other(answering):
    one = interest(moving())
    loud, quiet = (replace(one, namespace=namespace) for namespace in ("loud", "quiet"))
    client = PrometheusSource(answering(200, b"", kind=RefusingPrometheus))
    both = await client.read([loud, quiet])
    client.close()

    assert isinstance(both, CounterSnapshot)
    assert isinstance(both.reading(quiet, math.inf), Reading)
    refused = both.reading(loud, math.inf)
    assert isinstance(refused, Unseen)
    assert refused.reason.startswith("Prometheus refuses")


async def test_a_refused_connection_is_down():
    client = PrometheusSource(f"http://127.0.0.1:{free_port()}")
    seen = await client.read([interest(moving())])
    client.close()
    assert isinstance(seen, Unseen)
    assert seen.reason.startswith("Prometheus is down: http://127.0.0.1:")

"""Who is believed: a process is a gateway by labels that Prometheus put on its target, and by nothing that it shows."""

import asyncio
import http.server
import json
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from prometheus_client.utils import floatToGoString

from pitwall_crds.edges import LATENCY_EDGES
from pitwall_crds.host.sockets import free_port
from pitwall_crds.names import Metric
from pitwall_crds.reading.load import load_file
from pitwall_crds.rollout.gate import Gate, QuantileMetric, QuantileRule
from pitwall_crds.rollout.rollout import Rollout
from pitwall_operator.decision.weighing.analyze import fresh_gates
from pitwall_operator.gates.counting import latency_thresholds
from pitwall_operator.observe.gateways import GATEWAYS, down, matchers
from pitwall_operator.observe.prometheus import PrometheusSource
from pitwall_operator.observe.promql import Interest, interest
from pitwall_operator.observe.snapshot import CounterSnapshot
from pitwall_operator.values.observation import Reading, Unseen

EXAMPLES = Path(__file__).parents[3] / "examples"
GATEWAY, CANDIDATE = "pitwall-gateway-7d9f8b6c5d-x2x4z", "aks-v1-candidate-5f6b7c8d9f-q7w8x"


def moving() -> Rollout:
    rollout = next(one for one in load_file(EXAMPLES / "rollout-aks.yaml") if isinstance(one, Rollout))
    gates = fresh_gates(rollout.spec)
    status = {"stable_variant": "uniform-v1", "candidate_variant": "aks-v1", "gates": gates}
    return rollout.model_copy(
        update={
            "status": rollout.status.model_copy(update=status),
            "metadata": rollout.metadata.model_copy(update={"namespace": "shop"}),
        }
    )


def history(answers: int, seconds: float, more: str = "") -> str:
    """An exposition that says so many of stable's answers took so long."""
    labels = f'sampler_variant="uniform-v1",arm="stable"{more}'
    lines = ["process_start_time_seconds 1700000000"]
    for edge in (*LATENCY_EDGES, float("inf")):
        within = answers if edge >= seconds else 0
        lines.append(f'{Metric.HISTORY_LATENCY}_bucket{{{labels},le="{floatToGoString(edge)}"}} {within}')
    lines += [
        f"{Metric.HISTORY_LATENCY}_count{{{labels}}} {answers}",
        f"{Metric.EVIDENCE_MEMORY}{{{labels}}} {answers}",
    ]
    return "\n".join((*lines, ""))


class Exposing(http.server.BaseHTTPRequestHandler):
    text = ""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(self.text)))
        self.end_headers()
        self.wfile.write(self.text.encode())

    def log_message(self, *_: object) -> None:
        return


Scrape = Callable[..., str]


@pytest.fixture
def scrape(tmp_path: Path) -> Iterator[Scrape]:
    """Starts a Prometheus of these processes: the labels of each target, and what it shows."""
    binary = shutil.which("prometheus")
    if binary is None:
        pytest.skip("no prometheus on PATH: run scripts/servers.sh as root")
    servers: list[tuple[http.server.ThreadingHTTPServer, threading.Thread]] = []
    processes: list[subprocess.Popen[bytes]] = []

    def expose(text: str) -> str:
        handler = type("Exposed", (Exposing,), {"text": text})
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        servers.append((server, thread))
        return f"127.0.0.1:{server.server_port}"

    def start(*targets: tuple[Mapping[str, str], str]) -> str:
        found = [{"targets": [expose(text)], "labels": dict(labels)} for labels, text in targets]
        job = {"job_name": "pods", "scrape_interval": "250ms", "scrape_timeout": "250ms", "static_configs": found}
        (tmp_path / "prometheus.yml").write_text(json.dumps({"scrape_configs": [job]}))
        port = free_port()
        command = [binary, f"--config.file={tmp_path}/prometheus.yml", f"--storage.tsdb.path={tmp_path}/data"]
        command.append(f"--web.listen-address=127.0.0.1:{port}")
        processes.append(subprocess.Popen(command, stderr=subprocess.DEVNULL))
        return f"http://127.0.0.1:{port}"

    yield start
    for process in processes:
        process.kill()
        process.wait(10)
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.server_close()


async def settled(client: PrometheusSource, targets: int) -> None:
    """Until Prometheus has scraped as many."""
    deadline = time.monotonic() + 60
    while True:
        found = await client.query(f"count(process_start_time_seconds) == {targets}")
        if found and not isinstance(found, Unseen):
            return
        assert time.monotonic() < deadline, found
        await asyncio.sleep(0.1)


async def read_once(client: PrometheusSource, one: Interest) -> Reading | Unseen:
    snapshot = await client.read([one])
    assert isinstance(snapshot, CounterSnapshot), snapshot
    return snapshot.reading(one, 60.0)


async def seen_by(client: PrometheusSource, one: Interest) -> Reading | Unseen:
    """What is read once something that was scraped is old enough to be asked for."""
    deadline = time.monotonic() + 60
    while True:
        seen = await read_once(client, one)
        if isinstance(seen, Reading) or time.monotonic() > deadline:
            return seen
        await asyncio.sleep(0.1)


@pytest.mark.parametrize(
    ("others", "words"),
    [(0, f"(api-{GATEWAY}/10.0.0.9:80); check that these are gateways"), (5, " and 3 others); check")],
)
async def test_a_matcher_that_fits_other_targets_is_told_whom_it_fits(monkeypatch, others, words):
    """Somebody else's pod whose name ends like a gateway's was once looked for in Prometheus by hand."""
    names = [f"api-{GATEWAY}", *(f"web{number}-{GATEWAY}" for number in range(others))]
    shown = [({"namespace": "shop", "pod": name, "job": "pods", "instance": "10.0.0.9:80"}, 1.0) for name in names]

    async def answer(_: PrometheusSource, query: str, *__: object, **___: object) -> list[object]:
        return [({}, time.time())] if query.startswith("vector") else shown if query.startswith("up{") else []

    monkeypatch.setattr(PrometheusSource, "query", answer)
    client = PrometheusSource("http://prometheus")
    mine = interest(moving())
    snapshot = await client.read([mine])
    client.close()

    assert isinstance(snapshot, CounterSnapshot)
    seen = snapshot.reading(mine, 60.0)
    assert isinstance(seen, Unseen)
    assert seen.reason.startswith("no data")
    assert words in seen.reason


@pytest.mark.slow
@pytest.mark.parametrize(
    ("labels", "more"),
    [
        pytest.param({"namespace": "shop", "pod": CANDIDATE}, "", id="a pod of the candidate"),
        pytest.param({"namespace": "shop", "pod": CANDIDATE}, f',pod="{GATEWAY}"', id="one that says it is a gateway"),
        pytest.param({"namespace": "shop"}, f',pod="{GATEWAY}"', id="one whose target has no pod"),
        pytest.param({}, f',pod="{GATEWAY}",namespace="shop"', id="one whose target has no label at all"),
    ],
)
async def test_what_a_pod_says_of_another_variant_freezes_no_threshold(scrape, labels, more):
    """A million answers of stable that took four seconds each would let a candidate be a hundred times slower."""
    claim = f"\nup{{{more.strip(',')}}} 1\n" if more else ""
    forged = history(10**6, 4.0, more) + claim
    client = PrometheusSource(scrape(({"namespace": "shop", "pod": GATEWAY}, history(5000, 0.01)), (labels, forged)))
    await settled(client, 2)
    rollout = moving()
    reading = await seen_by(client, interest(rollout))
    strangers = await client.strangers([interest(rollout)])
    client.close()

    assert isinstance(reading, Reading)
    assert [name.split("/")[1] for name in reading.sources] == [GATEWAY]
    gate = next(gate for gate in rollout.spec.analysis.gates if gate.quantile)
    tail = latency_thresholds.frozen(gate, None, reading, "uniform-v1")
    assert tail is not None
    assert float(tail.candidate) < 0.1
    assert len(strangers) == 1


@pytest.mark.slow
async def test_a_pod_that_shows_nonsense_or_millions_leaves_its_rollout_measured(scrape):
    nonsense = f'{Metric.QUERIES}{{sampler_variant="aks-v1",arm="stable",outcome="ok"}} NaN\n' + history(-1, 0.01)
    nonsense += "".join(f'{Metric.EVIDENCE_CALLERS}{{sampler_variant="aks-v1",caller="{n}"}} 1\n' for n in range(2000))
    url = scrape(
        ({"namespace": "shop", "pod": GATEWAY}, history(5000, 0.01)),
        ({"namespace": "shop", "pod": CANDIDATE}, nonsense),
    )
    client = PrometheusSource(url, most_bytes=150_000)
    await settled(client, 2)
    reading = await seen_by(client, interest(moving()))
    client.close()

    assert isinstance(reading, Reading), reading


@pytest.mark.slow
async def test_where_no_gateway_is_known_nothing_is_believed_and_the_setting_is_named(scrape):
    """As under a Prometheus that gives targets other labels, until the operator is told which."""
    url = scrape(({"namespace": "shop", "role": "gateway"}, history(5000, 0.01)))
    client, told = PrometheusSource(url), PrometheusSource(url, gateways=matchers('role="gateway"'))
    await settled(told, 1)
    one = interest(moving())
    believed = await seen_by(told, one)
    unseen = await read_once(client, one)
    client.close()
    told.close()

    assert isinstance(believed, Reading)
    assert isinstance(unseen, Unseen)
    assert unseen.reason.startswith("no gateway: Prometheus scrapes none in namespace 'shop', as prometheus.gateways")
    assert len(unseen.reason) <= 256, "a status says no more"


@pytest.mark.parametrize(
    ("pod", "is_one"),
    [
        pytest.param(GATEWAY, True, id="the chart's"),
        pytest.param("team-b-pitwall-gateway-6c8d9-x2x4z", True, id="another release's"),
        pytest.param("a-release-with-a-name-of-forty-characters-gateway-7d9f8b6c5x2x4z", True, id="a long name"),
        pytest.param(CANDIDATE, False, id="a candidate's"),
        pytest.param("gateway-candidate-5f6b7c8d9f-q7w8x", False, id="of a variant called gateway"),
        pytest.param("my-gateway-control-5f6b7c8d9f-q7w8x", False, id="a control's"),
        pytest.param("my-gateway-bcdfg-5f6b7c8d9f-q7w8x", False, id="of a variant whose name goes on"),
        pytest.param("pitwall-gateway-0", False, id="a StatefulSet's"),
    ],
)
def test_the_pods_of_the_charts_gateways_are_known_by_their_names(pod, is_one):
    pattern = GATEWAYS.removeprefix('pod=~"').removesuffix('"')

    assert bool(re.fullmatch(pattern, pod)) is is_one


@pytest.mark.parametrize(
    "text",
    ["", "gateway", "{job='x'}", 'job="a"} or up{x="', 'job=""', 'job="a",', 'a b="c"', 'job="a"\n'],
)
def test_what_is_no_matcher_is_refused(text):
    with pytest.raises(ValueError, match="are no label matchers"):
        matchers(text)


@pytest.mark.parametrize("text", ['job="pitwall"', r'job!~"a|b\"",pod=~"g-.+"', GATEWAYS])
def test_matchers_are_taken_as_they_are(text):
    assert matchers(text) == text


# --- frame selection, whose history only runtimes had once ---


SELECTING = Gate(name="selection", quantile=QuantileRule(metric=QuantileMetric.FRAME_SELECTION, per_mille=900))


def test_no_gate_asks_for_what_runtimes_count():
    rollout = moving()
    analysis = rollout.spec.analysis.model_copy(update={"gates": (SELECTING,)})
    asked = interest(rollout.model_copy(update={"spec": rollout.spec.model_copy(update={"analysis": analysis})}))

    assert asked.samples[f"{Metric.HISTORY_SELECTION}_bucket"] is None
    assert not [name for name in asked.samples if name.startswith(Metric.FRAME_SELECTION)]


def test_a_pod_of_which_no_port_could_be_scraped_is_down():
    def up(pod: str, port: int, value: float):
        return {"namespace": "shop", "pod": pod, "instance": f"10.0.0.1:{port}", "job": "pods"}, value

    seen = [up("both", 80, 0.0), up("both", 9464, 1.0), up("one", 9464, 1.0), up("lost", 9464, 0.0)]
    without_pod = ({"namespace": "shop", "instance": "10.0.0.9:1", "job": "static"}, 0.0)

    assert down([*seen, without_pod]) == {"shop/lost"}

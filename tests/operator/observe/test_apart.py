"""Namespaces for which Prometheus takes too long: they are read apart, so that none but their own rollouts wait."""

import asyncio
import contextlib
import http.server
import json
import math
import re
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest

from pitwall_operator.observe import apart
from pitwall_operator.observe.apart import ApartReader
from pitwall_operator.observe.prometheus import QUERIES_OF_ONE, PrometheusSource
from pitwall_operator.observe.promql import ALWAYS, Interest
from pitwall_operator.observe.snapshot import CounterSnapshot
from pitwall_operator.values.observation import Reading, Unseen

GATEWAY = "pitwall-gateway-7d9f8b6c5d-x2x4z"


def of(namespace: str) -> Interest:
    return Interest(namespace, frozenset({"aks-v1"}), dict.fromkeys(ALWAYS))


class SlowPrometheus(http.server.BaseHTTPRequestHandler):
    """Has one gateway in each namespace that is asked about, and takes so long for what names a slow one."""

    slow: ClassVar[dict[str, float]] = {}
    busy: ClassVar[dict[str, int]] = {}
    lock = threading.Lock()

    def do_POST(self) -> None:
        query = parse_qs(urlsplit(self.path).query)["query"][0]
        named = re.search(r'namespace=~"([^"]*)"', query)
        asked = [name for name in named[1].split("|") if name] if named else []
        alone = int(len(asked) == 1 and asked[0] in self.slow)
        with self.lock:
            self.busy["now"] = self.busy.get("now", 0) + alone
            self.busy["most"] = max(self.busy.get("most", 0), self.busy["now"])
            self.busy["mixed"] = self.busy.get("mixed", 0) + int(
                len(asked) > 1 and not self.slow.keys().isdisjoint(asked)
            )
        time.sleep(max((self.slow.get(name, 0.0) for name in asked), default=0.0))
        with self.lock:
            self.busy["now"] -= alone
        now = str(time.time())
        labels: dict[str, str] = {"pod": GATEWAY, "job": "pods", "sampler_variant": "aks-v1"}
        told = [{"metric": {}, "value": [1, now]}]
        if asked:
            named_so = {"__name__": "pitwall_users_total"} if "pitwall_users" in query else {}
            metrics = [{**labels, **named_so, "namespace": one, "instance": f"{one}:1"} for one in asked]
            told = [{"metric": metric, "value": [1, now]} for metric in metrics]
        body = json.dumps({"status": "success", "data": {"resultType": "vector", "result": told}}).encode()
        with contextlib.suppress(OSError):  # who waited too long listens no more
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        return


Start = Callable[[dict[str, float]], tuple[PrometheusSource, dict[str, int]]]


@pytest.fixture
def slow() -> Iterator[Start]:
    """Starts a Prometheus that takes so many seconds for each query that names one of these namespaces."""
    stops: list[Callable[[], Any]] = []

    def start(seconds: dict[str, float]) -> tuple[PrometheusSource, dict[str, int]]:
        busy: dict[str, int] = {}
        handler = type("Slow", (SlowPrometheus,), {"slow": seconds, "busy": busy})
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        client = PrometheusSource(f"http://127.0.0.1:{server.server_port}", timeout_seconds=1)
        stops.extend((client.close, server.shutdown, server.server_close))
        return client, busy

    yield start
    for stop in stops:
        stop()


def seen(found: CounterSnapshot | Unseen, namespace: str) -> Reading | Unseen:
    return found if isinstance(found, Unseen) else found.reading(of(namespace), math.inf)


async def test_who_makes_prometheus_too_slow_blinds_no_other_namespace(slow):
    client, busy = slow({"evil": 3.0})
    wanted = [of("evil"), of("quiet"), of("shop")]
    first = await client.read(wanted)
    mixed_at_first = busy["mixed"]
    second = await client.read(wanted)

    for found in (first, second):
        assert isinstance(seen(found, "shop"), Reading), seen(found, "shop")
        assert isinstance(seen(found, "quiet"), Reading)
        assert isinstance(seen(found, "evil"), Unseen)
    assert mixed_at_first == busy["mixed"] > 0, "it is known by now who holds up the others: no query names both"


async def test_what_takes_long_and_comes_is_read_at_its_own_pace(slow):
    """Alone it is read, in more time than there is for all."""
    client, _ = slow({"large": 0.6})
    wanted = [of("large"), of("shop")]
    async with asyncio.timeout(60):
        while isinstance(seen(found := await client.read(wanted), "large"), Unseen):
            assert isinstance(seen(found, "shop"), Reading)
            await asyncio.sleep(0.1)


async def test_however_many_are_slow_the_others_are_read_in_bounded_time(slow):
    names = [f"evil{number}" for number in range(20)]
    client, busy = slow(dict.fromkeys(names, 1.5))
    wanted = [of(name) for name in (*names, "shop")]
    async with asyncio.timeout(60):
        while True:
            began = time.monotonic()
            found = await client.read(wanted)
            assert time.monotonic() - began < 10, "two exchanges and more, on a busy machine"
            if isinstance(seen(found, "shop"), Reading):
                break
            await asyncio.sleep(0.1)

    assert isinstance(seen(await client.read(wanted), "evil7"), Unseen)
    assert 0 < busy["most"] <= 2 * apart.AT_ONCE * QUERIES_OF_ONE, "those that nobody waits for any more among them"


async def test_a_prometheus_that_is_slow_for_everybody_is_what_is_told(slow):
    client, _ = slow({"a": 3.0, "b": 3.0})
    told = ""
    async with asyncio.timeout(60):
        while "is down" not in told:
            found = seen(await client.read([of("a"), of("b")]), "a")
            assert isinstance(found, Unseen)
            told = found.reason

    assert re.search(r"[Tt]imed? ?out|no whole answer", told)


async def test_who_could_be_read_for_long_is_read_with_the_others_again():
    now = 0.0
    reader = ApartReader(lambda: now)

    async def read() -> Unseen:
        return Unseen("too slow")

    reader.begin("evil", read)
    await reader.settle(["evil"], 10)
    assert reader.latest("evil") == Unseen("too slow")
    now = apart.APART_SECONDS + 1
    assert reader.namespaces() == frozenset()
    assert reader.latest("evil") is apart.ON_ITS_WAY


async def test_while_all_are_read_alone_nothing_is_asked_of_nobody(slow):
    client, _ = slow({"a": 3.0, "b": 3.0})
    client._apart._until.update(a=math.inf, b=math.inf)

    assert await client.strangers([of("a"), of("b")]) == ()
    assert isinstance(await client.variant_metrics([of("a"), of("b")]), Unseen), "what was seen last stays"


async def test_after_a_moment_in_which_prometheus_was_slow_for_all_none_stays_apart():
    """All of forty namespaces once did for ten minutes, at fifty queries a second."""
    now, names, answers = 0.0, [f"shop{number}" for number in range(40)], False
    reader = ApartReader(lambda: now)

    async def read() -> CounterSnapshot | Unseen:
        return CounterSnapshot(now, now, {}, frozenset()) if answers else Unseen("timed out")

    for name in names:
        reader.begin(name, read)
    await reader.settle(names, 10)
    assert reader.namespaces() == set(names)

    answers, now = True, 1.0
    for name in names:
        reader.begin(name, read)
    await reader.settle(names, 10)
    assert reader.namespaces() == frozenset()


async def test_who_is_quick_alone_is_tried_with_the_others_once_and_who_is_slow_is_not():
    now, takes = 0.0, 0.1
    reader = ApartReader(lambda: now)

    async def read() -> CounterSnapshot:
        nonlocal now
        now += takes
        return CounterSnapshot(now, now, {}, frozenset())

    async def read_alone(name: str) -> bool:
        reader.begin(name, read)
        await reader.settle([name], 10)
        return name in reader.namespaces()

    assert not await read_alone("quick"), "it comes back"
    assert await read_alone("quick"), "a second time it holds up the others no more"
    takes = apart.QUICK_SECONDS + 0.1
    assert await read_alone("slow")

"""What pods say of their samplers is read, seldom and within bounds; what cannot be read is simply not known."""

import asyncio
import contextlib
import gzip
import http.server
import json
import threading

import httpx
import pytest
from harness.effort import effort

from pitwall_crds.host.http.frugal import FrugalTransport
from pitwall_crds.variant.builtin import CATALOGUE
from pitwall_operator.observe import samplers
from pitwall_operator.observe.samplers import SamplerReader

PAPER = ("shop", "paper-v1")
SAID = {
    "samplers": [{**CATALOGUE[0], "name": "paper"}],
    "broken": ["sampler 'x' cannot be imported"],
    "served": {"name": "paper", "failures": 3, "lastFailure": "it raised"},
    "fromALaterVersion": True,
}


@pytest.fixture
def pod():
    """A pod that says what it is told to."""
    said = {"body": json.dumps(SAID).encode(), "status": 200, "asked": []}

    class SayingHandler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            said["asked"].append(self.path)
            self.send_response(said["status"])
            self.send_header("Content-Length", str(len(said["body"])))
            self.send_header("Location", "http://169.254.169.254/")
            self.end_headers()
            self.wfile.write(said["body"])

        def log_message(self, *_):
            return

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), SayingHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    said["url"] = f"http://127.0.0.1:{server.server_port}"
    yield said
    server.shutdown()
    server.server_close()


@pytest.fixture
async def reader():
    async with httpx.AsyncClient(trust_env=False) as client:
        yield SamplerReader(client, clock=lambda: 100.0)


async def test_samplers_what_is_broken_and_failures_are_read(pod, reader):
    said = await reader.ask(PAPER, pod["url"])

    assert [entry.name for entry in said.samplers] == ["paper"]
    assert said.broken == ("sampler 'x' cannot be imported",)
    assert (said.served.failures, said.served.last_failure) == (3, "it raised")
    assert pod["asked"] == ["/v1/samplers"]


async def test_a_variant_is_asked_seldom(pod, reader):
    for variant in ("a", "a", "b", "a"):
        await reader.ask(("shop", variant), pod["url"])

    assert len(pod["asked"]) == 2


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"<html>", 200),
        (b"[]", 200),
        (b'{"samplers": [{"name": "No Name"}]}', 200),
        (b"x" * 5000, 200),
        (b"{}", 404),
        (b"{}", 302),
    ],
)
async def test_what_cannot_be_read_is_not_known(pod, reader, body, status, monkeypatch):
    monkeypatch.setattr(samplers, "MOST_BYTES", 4096)
    pod["body"], pod["status"] = body, status

    assert await reader.ask(PAPER, pod["url"]) is None


async def test_a_pod_that_is_away_is_not_known(reader):
    assert await reader.ask(PAPER, "http://127.0.0.1:9") is None


async def test_of_many_variants_whose_pods_are_slow_few_are_asked_at_once():
    asked, answers = [], asyncio.Event()

    async def slow(request):
        asked.append(request.url.host)
        await answers.wait()
        raise httpx.ConnectError("Name or service not known")

    async with httpx.AsyncClient(transport=httpx.MockTransport(slow)) as client:
        reader = SamplerReader(client, clock=lambda: 100.0)
        asking = [asyncio.create_task(reader.ask((f"n{name}", "v"), f"http://pod-{name}")) for name in range(10)]
        await asyncio.wait(asking, return_when=asyncio.FIRST_COMPLETED)
        assert asked == ["pod-0", "pod-1"]
        answers.set()
        assert await asyncio.gather(*asking) == [None] * 10
        await reader.ask(("n5", "v"), "http://pod-5")  # was not asked, so it is not too soon

    assert asked == ["pod-0", "pod-1", "pod-5"]


async def test_a_look_up_that_timed_out_keeps_its_place_for_a_while(monkeypatch):
    monkeypatch.setattr(samplers, "LOOK_UP_SECONDS", 0.05)
    asked = []

    async def unknown(request):
        asked.append(request.url.host)
        raise httpx.ConnectTimeout("")

    async with httpx.AsyncClient(transport=httpx.MockTransport(unknown)) as client:
        reader = SamplerReader(client, clock=lambda: 100.0)
        for name in range(4):
            await reader.ask((f"n{name}", "v"), f"http://pod-{name}")
        assert asked == ["pod-0", "pod-1"]
        async with asyncio.timeout(20):
            while len(asked) < 3:
                await reader.ask(("n3", "v"), "http://pod-3")
                await asyncio.sleep(0.01)


@pytest.fixture
async def dripping():
    """Pods whose answers never end: where they are, and a place for each that asked them."""
    asked, over, handlers = asyncio.Queue(), asyncio.Event(), set()

    async def drip(reader, writer):
        handlers.add(asyncio.current_task())
        asked.put_nowait(1)
        with contextlib.suppress(OSError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n")
            while not over.is_set():
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.05)
            writer.close()
            await writer.wait_closed()

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", asked
    over.set()
    await asyncio.gather(*handlers)
    server.close()
    await server.wait_closed()


async def test_pods_that_drip_hold_up_no_turn(dripping, reader, monkeypatch):
    monkeypatch.setattr(samplers, "TIMEOUT_SECONDS", 0.5)
    async with asyncio.timeout(20):
        assert await reader.ask(PAPER, dripping[0]) is None


async def test_the_pods_of_one_namespace_keep_no_others_from_being_asked(dripping, pod, reader):
    url, asked = dripping
    asking = [asyncio.create_task(reader.ask(("evil", name), url)) for name in "abc"]
    async with asyncio.timeout(20):
        await asked.get()
        said = await reader.ask(PAPER, pod["url"])
        await asyncio.gather(*asking)

    assert said.samplers[0].name == "paper"
    assert asked.empty(), "one of them at a time"


async def test_what_is_compressed_though_nobody_asked_for_it_is_not_unpacked():
    def packed(request):
        assert request.headers["Accept-Encoding"] == "identity"
        return httpx.Response(200, headers={"Content-Encoding": "gzip"}, stream=httpx.ByteStream(gzip.compress(b"{}")))

    async with httpx.AsyncClient(transport=httpx.MockTransport(packed)) as client:
        assert await SamplerReader(client).ask(PAPER, "http://pod") is None


@pytest.mark.parametrize(
    ("head", "crumbs"),
    [
        pytest.param(b"", b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" * 100, id="hints"),
        pytest.param(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", b"1\r\nx\r\n" * 1000, id="crumbs"),
    ],
)
async def test_what_comes_in_crumbs_without_end_is_left_before_its_time_is_over(monkeypatch, head, crumbs):
    """Each of them takes the event loop, in which every turn is made."""
    monkeypatch.setattr(samplers, "TIMEOUT_SECONDS", 120.0)

    async def crumbles(reader, writer):
        with contextlib.suppress(OSError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(head)
            while not writer.is_closing():
                writer.write(crumbs)
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(crumbles, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, httpx.AsyncClient(transport=FrugalTransport()) as client, asyncio.timeout(30):
        assert await SamplerReader(client).ask(PAPER, url) is None


async def test_a_pod_that_says_nothing_but_faults_takes_no_time_and_no_log(pod, reader, caplog):
    caplog.set_level("INFO")
    pod["body"] = b'{"samplers":[' + b",".join([b"0"] * 1_000_000) + b"]}"
    with effort() as spent:
        assert await reader.ask(PAPER, pod["url"]) is None
    assert spent.megabytes < 10
    assert len(caplog.text) < 1000


async def test_all_samplers_that_come_with_pitwall_are_well_within_what_is_kept(pod, reader):
    pod["body"] = json.dumps({"samplers": [*CATALOGUE, *CATALOGUE]}).encode()

    assert len((await reader.ask(PAPER, pod["url"])).samplers) == 2 * len(CATALOGUE)

"""What pods say of their samplers is read, seldom and within bounds; what cannot be read is simply not known."""

import http.server
import json
import threading

import httpx
import pytest

from pitwall_crds.builtin import CATALOGUE
from pitwall_operator.observe import samplers
from pitwall_operator.observe.samplers import SamplerReader

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
    said = await reader.ask("paper-v1", pod["url"])

    assert [entry.name for entry in said.samplers] == ["paper"]
    assert said.broken == ("sampler 'x' cannot be imported",)
    assert (said.served.failures, said.served.last_failure) == (3, "it raised")
    assert pod["asked"] == ["/v1/samplers"]


async def test_a_variant_is_asked_seldom(pod, reader):
    for variant in ("a", "a", "b", "a"):
        await reader.ask(variant, pod["url"])

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

    assert await reader.ask("paper-v1", pod["url"]) is None


async def test_a_pod_that_is_away_is_not_known(reader):
    assert await reader.ask("paper-v1", "http://127.0.0.1:9") is None

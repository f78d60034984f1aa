"""A server ends gracefully: what is under way is answered, and the process goes on."""

import asyncio
import os
import signal
from pathlib import Path

import httpx
import pytest
import uvicorn

from pitwall_crds.host.http.server import GracefulServer, SideServer, ThreadServer, guarded_http
from pitwall_crds.host.sockets import listen

ROOT = Path(__file__).parents[4]


class SlowApp:
    """An ASGI application that answers once it is let."""

    def __init__(self):
        self.begun, self.may_answer = asyncio.Event(), asyncio.Event()

    async def __call__(self, scope, receive, send):
        self.begun.set()
        await self.may_answer.wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
        await send({"type": "http.response.body", "body": b"done"})


@pytest.mark.parametrize("signals", [(signal.SIGUSR1,), ()], ids=["on its signal", "told by its owner"])
async def test_an_answer_under_way_is_finished(signals):
    app, listener = SlowApp(), listen("127.0.0.1", 0)
    server = GracefulServer(uvicorn.Config(app, lifespan="off", log_level="error"), signals=signals)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    async with httpx.AsyncClient(trust_env=False) as client:
        asked = asyncio.create_task(client.get(f"http://127.0.0.1:{listener.getsockname()[1]}/", timeout=30))
        await asyncio.wait_for(app.begun.wait(), 30)
        if signals:
            os.kill(os.getpid(), signal.SIGUSR1)
        else:
            server.should_exit = True
        app.may_answer.set()

        assert (await asked).text == "done"
    await asyncio.wait_for(serving, 30)


async def hello(scope, receive, send):
    """An application of one word."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
    await send({"type": "http.response.body", "body": b"hello"})


async def test_what_is_served_beside_is_within_the_limits_and_frees_its_port():
    listener = listen("127.0.0.1", 0)
    url, server = f"http://127.0.0.1:{listener.getsockname()[1]}/", SideServer(hello, listener)
    async with httpx.AsyncClient(trust_env=False) as client:
        assert (await client.get(url)).text == "hello"
        assert (await client.get(url, headers={"x": "x" * 70_000})).status_code == 431
        await server.end()
        with pytest.raises(httpx.ConnectError):
            await client.get(url)


def test_a_thread_serves_within_the_limits_and_frees_its_port():
    listener = listen("127.0.0.1", 0)
    url, server = f"http://127.0.0.1:{listener.getsockname()[1]}/", ThreadServer(hello, listener)
    with httpx.Client(trust_env=False) as client:
        assert client.get(url).text == "hello"
        assert client.get(url, headers={"x": "x" * 70_000}).status_code == 431
        server.close()
        with pytest.raises(httpx.ConnectError):
            client.get(url)


def test_each_server_has_places_of_its_own_within_its_own_limits():
    first, second = guarded_http(), guarded_http()

    assert first.places is not second.places


def test_no_server_of_ours_is_without_the_limits():
    folders = ("crds", "flags", "gateway", "operator", "runtime", "dashboards")
    sources = [file.read_text() for folder in folders for file in (ROOT / folder).rglob("*.py")]
    ours = [text for text in sources if "uvicorn.Config(" in text]

    assert len(ours) >= 2
    assert all("http=guarded_http(" in text for text in ours)
    assert all("for_this_machine(" in text for text in ours), "on loopback, other sites' pages are refused"
    assert not any("uvicorn.run(" in text for text in sources)

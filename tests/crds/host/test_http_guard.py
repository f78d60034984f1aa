"""Hostile HTTP clients: what they send or hold costs the server a bounded part of its time and memory."""

import asyncio
import contextlib
import resource
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
import uvicorn

from pitwall_crds.host.http_guard import ConnectionLimits
from pitwall_crds.host.http_server import GracefulServer, guarded_http
from pitwall_crds.host.http_upgrade import IgnoresUpgrades
from pitwall_crds.host.sockets import listen

GET = b"GET / HTTP/1.1\r\nHost: x\r\n"
QUICK = ConnectionLimits(header_seconds=0.3, body_seconds=0.3, reading_seconds=0.3, per_peer=20, total=25)
PATIENT = ConnectionLimits()


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Reads the body and tells its length; /large sends far more than a socket holds, /headers tells their names."""
    size = 0
    while (message := await receive())["type"] == "http.request":
        size += len(message["body"])
        if not message.get("more_body"):
            break
    answers = {"/large": b"x" * 50_000_000, "/headers": b" ".join(sorted(name for name, _ in scope["headers"]))}
    body = answers.get(scope["path"], str(size).encode())
    head = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": head})
    await send({"type": "http.response.body", "body": body})


@dataclass
class AttackedServer:
    """A served application, and clients that speak to it in bytes."""

    port: int
    server: GracefulServer
    stack: contextlib.AsyncExitStack

    async def client(self) -> "RawClient":
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.stack.callback(writer.close)
        return RawClient(reader, writer)


@dataclass
class RawClient:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        with contextlib.suppress(ConnectionError):
            await self.writer.drain()

    async def rest(self) -> bytes:
        """Everything until the server hangs up."""
        parts = []
        async with asyncio.timeout(30):
            with contextlib.suppress(ConnectionError):
                while part := await self.reader.read(65_536):
                    parts.append(part)
        return b"".join(parts)


@pytest.fixture
async def serve() -> AsyncIterator[Callable[..., Any]]:
    async with contextlib.AsyncExitStack() as stack:

        async def start(limits: ConnectionLimits) -> AttackedServer:
            protocol = type("Limited", (IgnoresUpgrades,), {"limits": limits})
            listener = listen("127.0.0.1", 0)
            config = uvicorn.Config(app, http=protocol, lifespan="off", log_level="critical", timeout_keep_alive=1)
            server = GracefulServer(config, signals=())
            serving = asyncio.create_task(server.serve(sockets=[listener]))

            async def end() -> None:
                server.should_exit = server.force_exit = True
                await asyncio.wait_for(serving, 30)

            stack.push_async_callback(end)
            return AttackedServer(listener.getsockname()[1], server, stack)

        yield start


async def still_serves(site: AttackedServer) -> bool:
    client = await site.client()
    await client.send(GET + b"Connection: close\r\n\r\n")
    return (await client.rest()).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        pytest.param(GET + b"X: ", b"x" * 65_536, id="one header without end"),
        pytest.param(GET, b"X: y\r\n" * 10_000, id="headers without end"),
        pytest.param(b"GET /", b"x" * 65_536, id="an address without end"),
        pytest.param(
            b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n",
            b"X: y\r\n" * 10_000,
            id="trailers without end",
        ),
    ],
)
async def test_of_200_megabytes_of_headers_hardly_any_is_read(serve, head, piece):
    site = await serve(PATIENT)
    client = await site.client()
    await client.send(head)
    sent = 0
    with contextlib.suppress(ConnectionError):
        while sent < 200_000_000 and not client.reader.at_eof() and not client.writer.is_closing():
            client.writer.write(piece)
            await client.writer.drain()
            sent += len(piece)

    assert sent < 20_000_000, "the rest lies in the sockets' buffers"
    assert await still_serves(site)


@pytest.mark.parametrize("pause", [0.0, 0.2], ids=["in one packet", "in two"])
async def test_what_stands_behind_a_body_is_no_header(serve, pause):
    """A proxy that strips credentials or names of sessions looks at headers, not at trailers."""
    client = await (await serve(PATIENT)).client()
    head = b"POST /headers HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n"
    trailers = b"0\r\nAuthorization: Bearer key\r\nX-Pitwall-Session: ann\r\n\r\n"
    if pause:
        await client.send(head)
        await asyncio.sleep(pause)
    await client.send(trailers if pause else head + trailers)
    await client.send(b"GET /headers HTTP/1.1\r\nHost: x\r\nAuthorization: mine\r\nConnection: close\r\n\r\n")

    first, second = (answer.partition(b"\r\n\r\n")[2] for answer in (await client.rest()).split(b"HTTP/1.1 200")[1:])
    assert first == b"host transfer-encoding"
    assert second == b"authorization connection host"


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        pytest.param(b"GET / HTTP/1.1\r\nHost: x\r\n", b"200", id="one"),
        pytest.param(b"GET / HTTP/1.1\r\nHOST:\r\n", b"200", id="an empty one"),
        pytest.param(b"GET / HTTP/1.0\r\n", b"200", id="none, as of old"),
        pytest.param(b"GET / HTTP/1.1\r\n", b"400", id="none"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: x\r\nhost: y\r\n", b"400", id="two"),
        pytest.param(b"GET / HTTP/1.0\r\nHost: x\r\nHost: x\r\n", b"400", id="two, as of old"),
    ],
)
async def test_a_request_names_its_host_once(serve, lines, status):
    site = await serve(PATIENT)
    client = await site.client()

    await client.send(lines + b"Connection: close\r\n\r\n")

    assert (await client.rest()).startswith(b"HTTP/1.1 " + status)
    assert await still_serves(site)


async def test_each_request_of_a_connection_names_its_own_host(serve):
    client = await (await serve(PATIENT)).client()

    await client.send(GET + b"\r\n" + GET + b"\r\n")
    await asyncio.sleep(0.2)  # their answers come first
    await client.send(b"GET / HTTP/1.1\r\n\r\n")

    answer = await client.rest()
    assert (answer.count(b"HTTP/1.1 200"), answer.count(b"HTTP/1.1 400")) == (2, 1)


async def test_headers_that_are_too_large_are_refused_in_words(serve):
    client = await (await serve(PATIENT)).client()
    await client.send(GET + b"X: " + b"x" * 70_000)

    assert (await client.rest()).startswith(b"HTTP/1.1 431")


async def test_headers_that_are_too_large_are_refused_though_they_come_whole_and_at_once(serve):
    site = await serve(PATIENT)
    client = await site.client()
    await client.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nX: " + b"x" * 66_000 + b"\r\n\r\nbody" + GET)

    assert (await client.rest()).startswith(b"HTTP/1.1 431")
    assert await still_serves(site)


async def test_large_headers_within_the_limit_and_a_body_in_tiny_chunks_are_served(serve):
    client = await (await serve(PATIENT)).client()
    head = b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX: " + b"x" * 40_000
    await client.send(head + b"\r\nTransfer-Encoding: chunked\r\n\r\n")
    await client.send(b"1\r\nx\r\n" * 50_000 + b"0\r\n\r\n")

    assert (await client.rest()).endswith(b"50000")


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(GET, id="half a header"),
        pytest.param(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab", id="half a body"),
        pytest.param(GET + b"\r\n" + GET, id="half of a second request"),
        pytest.param(GET + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n" + GET, id="half a request after an upgrade"),
    ],
)
async def test_who_sends_too_slowly_is_hung_up_on(serve, sent):
    client = await (await serve(QUICK)).client()
    await client.send(sent)

    await client.rest()  # ends, where the server's patience does


async def test_drops_that_keep_coming_buy_no_time(serve):
    client = await (await serve(QUICK)).client()
    await client.send(GET)

    async def drip() -> None:
        with contextlib.suppress(ConnectionError):
            while not client.writer.is_closing():
                await client.send(b"X: y\r\n")
                await asyncio.sleep(0.02)

    dripping = asyncio.create_task(drip())
    await client.rest()
    dripping.cancel()


async def test_who_reads_nothing_is_hung_up_on(serve):
    site = await serve(QUICK)
    client = await site.client()
    client.reader._limit = 1  # type: ignore[attr-defined]
    await client.send(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")

    async with asyncio.timeout(30):
        while not site.server.server_state.connections:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        while site.server.server_state.connections:  # noqa: ASYNC110 - a server has no event for it
            await asyncio.sleep(0.01)


async def test_of_many_idle_connections_of_one_peer_only_so_many_stay_and_none_for_long(serve):
    site = await serve(QUICK)
    clients = [await site.client() for _ in range(40)]
    answers = await asyncio.gather(*(client.rest() for client in clients))

    refused = [answer for answer in answers if answer]
    assert len(refused) == 20
    assert all(answer.startswith(b"HTTP/1.1 503") for answer in refused)
    assert await still_serves(site)


async def test_a_connection_more_than_all_is_turned_away(serve):
    site = await serve(replace(PATIENT, total=5))
    kept = [await site.client() for _ in range(5)]
    async with asyncio.timeout(30):
        while len(site.server.server_state.connections) < 5:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    sixth = await site.client()

    assert (await sixth.rest()).startswith(b"HTTP/1.1 503")
    kept[0].writer.close()
    async with asyncio.timeout(30):
        while len(site.server.server_state.connections) > 4:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert await still_serves(site)


async def test_an_answer_that_takes_its_time_is_nobodys_fault(serve):
    site = await serve(replace(QUICK, reading_seconds=30))
    client = await site.client()
    await client.send(b"GET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    await asyncio.sleep(0.5)

    assert len(await client.rest()) > 50_000_000


def test_a_server_takes_no_more_connections_than_it_has_files():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]

    assert guarded_http().limits.total <= (2048 if hard == resource.RLIM_INFINITY else hard)
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] >= guarded_http().limits.total

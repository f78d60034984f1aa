"""Hostile HTTP clients: what they send or hold costs the server a bounded part of its time and memory."""

import asyncio
import contextlib
import resource
import socket
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
OFFER = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"
ANSWERS = {"/large": b"x" * 50_000_000, "/some": b"x" * 6_000_000, "/page": b"x" * 20_000}
QUICK = ConnectionLimits(header_seconds=0.3, body_seconds=0.3, reading_seconds=0.3, per_peer=20, total=25)
PATIENT = ConnectionLimits()


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Reads the body and tells its length; /large sends far more than a socket holds, /headers tells their names."""
    size = 0
    while (message := await receive())["type"] == "http.request":
        size += len(message["body"])
        if not message.get("more_body"):
            break
    body = ANSWERS.get(scope["path"], str(size).encode())
    if scope["path"] == "/headers":
        body = b" ".join(sorted(name for name, _ in scope["headers"]))
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
        pytest.param(GET + OFFER, b"200", id="one, and an upgrade"),
        pytest.param(GET + b"Host: x\r\n" + OFFER, b"400", id="two, and an upgrade"),
    ],
)
async def test_a_request_names_its_host_once(serve, lines, status):
    site = await serve(PATIENT)
    client = await site.client()

    await client.send(lines + b"Connection: close\r\n\r\n")

    assert (await client.rest()).startswith(b"HTTP/1.1 " + status)
    assert await still_serves(site)


@pytest.mark.parametrize("version", [b"HTTP/2.0", b"HTTP/0.9", b"HTTP/9.9", b"HTTP/1.2"])
@pytest.mark.parametrize("host", [b"", b"Host: x\r\n"], ids=["without host", "with host"])
async def test_a_version_that_is_not_served_is_refused(serve, version, host):
    site = await serve(PATIENT)
    client = await site.client()

    await client.send(b"GET / " + version + b"\r\n" + host + b"\r\n")

    answer = await client.rest()
    assert b" 200 " not in answer
    assert answer.startswith((b"HTTP/1.1 505", b"HTTP/1.1 400")), "the parser knows some of them, and no others"
    assert (b" 505 " in answer) == (version in (b"HTTP/2.0", b"HTTP/0.9"))
    assert await still_serves(site)


async def test_what_cannot_be_served_is_refused_once_however_often_it_is_asked(serve):
    client = await (await serve(PATIENT)).client()
    await client.send(b"GET / HTTP/2.0\r\n\r\n" * 5)

    assert (await client.rest()).count(b"HTTP/1.1 505") == 1


async def test_a_tunnel_is_refused(serve):
    site = await serve(PATIENT)
    client = await site.client()
    await client.send(b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n")

    assert (await client.rest()).startswith(b"HTTP/1.1 501")
    assert await still_serves(site)


async def test_each_of_many_requests_that_offer_an_upgrade_is_answered_in_order(serve):
    client = await (await serve(PATIENT)).client()
    bodies = [b"x" * size for size in (3, 70_000, 0, 5)]
    heads = [b"POST / HTTP/1.1\r\nHost: x\r\n" + OFFER + b"Content-Length: %d\r\n\r\n" % len(body) for body in bodies]
    plain = GET + b"Connection: close\r\n\r\n"

    await client.send(b"".join(head + body for head, body in zip(heads, bodies, strict=True)) + plain)

    answers = (await client.rest()).split(b"HTTP/1.1 200")[1:]
    assert [answer.partition(b"\r\n\r\n")[2] for answer in answers] == [b"3", b"70000", b"0", b"5", b"0"]


async def test_what_offers_an_upgrade_reaches_the_application_without_its_offer(serve):
    client = await (await serve(PATIENT)).client()
    await client.send(b"GET /headers HTTP/1.1\r\nHost: x\r\nX-Mine: a\r\n" + OFFER + b"\r\n")

    assert (await client.rest()).endswith(b"connection host x-mine")


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


@pytest.mark.parametrize(
    ("head", "drop"),
    [
        pytest.param(GET, b"X: y\r\n", id="of headers"),
        pytest.param(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999\r\n\r\n", b"x", id="of a body"),
        pytest.param(
            b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n", id="of chunks"
        ),
        pytest.param(
            b"POST / HTTP/1.1\r\nHost: x\r\n" + OFFER + b"Content-Length: 99999\r\n\r\n", b"x",
            id="of a body whose headers offered an upgrade",
        ),
        pytest.param(GET + OFFER + b"\r\n" + GET, b"X: y\r\n", id="of headers that follow an upgrade"),
    ],
)  # fmt: skip
async def test_drops_that_keep_coming_buy_no_time(serve, head, drop):
    client = await (await serve(QUICK)).client()
    await client.send(head)

    async def drip() -> None:
        with contextlib.suppress(ConnectionError):
            while not client.writer.is_closing():
                await client.send(drop)
                await asyncio.sleep(0.02)

    dripping = asyncio.create_task(drip())
    await client.rest()
    dripping.cancel()


@pytest.mark.parametrize("offer", [b"", OFFER], ids=["", "after an upgrade"])
@pytest.mark.parametrize(("path", "times"), [(b"/large", 1), (b"/page", 1), (b"/page", 400)])
async def test_who_reads_nothing_is_hung_up_on(serve, path, times, offer):
    site = await serve(QUICK)
    with await connected(site, room=4096) as client:
        request = b"GET " + path + b" HTTP/1.1\r\nHost: x\r\n" + offer + b"\r\n"
        await asyncio.get_running_loop().sock_sendall(client, request * times)

        await nobody_is_left(site.server)


@pytest.mark.parametrize("offer", [b"", OFFER], ids=["", "after an upgrade"])
async def test_who_leaves_no_more_than_the_last_bytes_of_an_answer_is_hung_up_on(serve, offer):
    site = await serve(QUICK)
    with await connected(site, room=4096) as client:
        waits = 0
        while not waits:
            await asyncio.get_running_loop().sock_sendall(
                client, b"GET /page HTTP/1.1\r\nHost: x\r\n" + offer + b"\r\n"
            )
            await asyncio.sleep(0.01)
            waits = max(each.transport.get_write_buffer_size() for each in site.server.server_state.connections)

        assert waits < 64_000, "else asyncio would have said so"
        await nobody_is_left(site.server)


async def connected(site: AttackedServer, *, room: int) -> socket.socket:
    """A client whose system takes no more than so much before it is read."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
    client.setblocking(False)
    await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", site.port))
    return client


async def nobody_is_left(server: GracefulServer) -> None:
    """A server has no event for it."""
    async with asyncio.timeout(10):
        while not server.server_state.connections:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        while server.server_state.connections:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_who_reads_slowly_but_steadily_gets_it_all(serve):
    """Though it takes several times what a client may leave lying: megabytes wait in the system, where they move."""
    site = await serve(replace(QUICK, reading_seconds=0.5))
    with await connected(site, room=16_384) as client:
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(client, b"GET /some HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        began, taken = loop.time(), 0
        while part := await loop.sock_recv(client, 65_536):
            taken += len(part)
            await asyncio.sleep(0.005)

    assert taken > 6_000_000
    assert loop.time() - began > 1, "else nothing was slow"


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

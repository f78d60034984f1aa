"""Hostile HTTP clients: what they send or hold costs the server a bounded part of its time and memory."""

import asyncio
import contextlib
import resource
import socket
from dataclasses import replace
from typing import Any

import pytest

from pitwall_crds.host.http.connection_limits import ConnectionLimits
from pitwall_crds.host.http.server import GracefulServer, guarded_http

GET = b"GET / HTTP/1.1\r\nHost: x\r\n"
OFFER = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"
QUICK = ConnectionLimits(header_seconds=0.3, body_seconds=0.3, reading_seconds=0.3, per_peer=20, total=25)
PATIENT = ConnectionLimits()


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
    assert await site.still_serves()


async def test_headers_that_are_too_large_are_refused_in_words(serve):
    client = await (await serve(PATIENT)).client()
    await client.send(GET + b"X: " + b"x" * 70_000)

    assert (await client.rest()).startswith(b"HTTP/1.1 431")


async def test_headers_that_are_too_large_are_refused_though_they_come_whole_and_at_once(serve):
    site = await serve(PATIENT)
    client = await site.client()
    await client.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nX: " + b"x" * 66_000 + b"\r\n\r\nbody" + GET)

    assert (await client.rest()).startswith(b"HTTP/1.1 431")
    assert await site.still_serves()


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
        pytest.param(b"POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab", id="half of an answered body"),
        pytest.param(GET + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n" + GET, id="half a request after an upgrade"),
    ],
)
async def test_who_sends_too_slowly_is_hung_up_on(serve, sent):
    site = await serve(QUICK)
    client = await site.client()
    await client.send(sent)

    await client.rest()  # ends, where the server's patience does
    assert await site.still_serves()


@pytest.mark.parametrize("more", [b"", GET], ids=["nothing", "half a second request"])
async def test_who_sends_the_rest_of_what_was_answered_already_and_then_too_little_is_hung_up_on(serve, more):
    client = await (await serve(QUICK)).client()
    await client.send(b"POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab")
    answer = await client.reader.readuntil(b"\r\n\r\n0")
    await client.send(b"cde" + more)

    assert answer.startswith(b"HTTP/1.1 200")
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
    site = await serve(QUICK)
    client = await site.client()
    await client.send(head)

    async def drip() -> None:
        with contextlib.suppress(ConnectionError):
            while not client.writer.is_closing():
                await client.send(drop)
                await asyncio.sleep(0.02)

    dripping = asyncio.create_task(drip())
    await client.rest()  # ends, where the server's patience does
    dripping.cancel()
    assert await site.still_serves()


@pytest.mark.parametrize("offer", [b"", OFFER], ids=["", "after an upgrade"])
@pytest.mark.parametrize(("path", "times"), [(b"/large", 1), (b"/page", 1), (b"/page", 400)])
async def test_who_reads_nothing_is_hung_up_on(serve, path, times, offer):
    site = await serve(QUICK)
    with await connected(site, room=4096) as client:
        request = b"GET " + path + b" HTTP/1.1\r\nHost: x\r\n" + offer + b"\r\n"
        await asyncio.get_running_loop().sock_sendall(client, request * times)

        await nobody_is_left(site.server)
    assert await site.still_serves()


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


async def connected(site: Any, *, room: int) -> socket.socket:
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
    site = await serve(replace(QUICK, header_seconds=3))  # time to come, also on a busy machine
    clients = [await site.client() for _ in range(40)]
    answers = await asyncio.gather(*(client.rest() for client in clients))

    refused = [answer for answer in answers if answer]
    assert len(refused) == 20
    assert all(answer.startswith(b"HTTP/1.1 503") for answer in refused)
    assert await site.still_serves()


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

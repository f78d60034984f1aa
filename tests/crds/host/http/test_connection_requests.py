"""Requests that two servers might read differently, or that none of ours serves: each is answered in one way alone."""

import asyncio

import pytest

from pitwall_crds.host.http.connection_limits import ConnectionLimits

GET = b"GET / HTTP/1.1\r\nHost: x\r\n"
OFFER = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"
PATIENT = ConnectionLimits()


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
    assert await site.still_serves()


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
    assert await site.still_serves()


async def test_what_cannot_be_served_is_refused_once_however_often_it_is_asked(serve):
    client = await (await serve(PATIENT)).client()
    await client.send(b"GET / HTTP/2.0\r\n\r\n" * 5)

    assert (await client.rest()).count(b"HTTP/1.1 505") == 1


async def test_a_tunnel_is_refused(serve):
    site = await serve(PATIENT)
    client = await site.client()
    await client.send(b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n")

    assert (await client.rest()).startswith(b"HTTP/1.1 501")
    assert await site.still_serves()


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
    answer = b""
    async with asyncio.timeout(30):
        while answer.count(b"HTTP/1.1 200") < 2:
            answer += await client.reader.read(65_536)
    await client.send(b"GET / HTTP/1.1\r\n\r\n")

    answer += await client.rest()
    assert (answer.count(b"HTTP/1.1 200"), answer.count(b"HTTP/1.1 400")) == (2, 1)

"""Of a reply no more is read than an answer may have, in whatever it is wrapped."""

import asyncio
from collections.abc import AsyncIterator

import httpcore
import httpx
import pytest

from pitwall_crds.host.http.frugal import (
    HEAD_BYTES,
    MANY_PIECES,
    READ_BYTES,
    FrugalTransport,
    ReplyAllowance,
    allowing,
    bounded,
    frugal_client,
)

HINT = b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


class Pieces:
    """A body in pieces of one size, which remembers how many were taken."""

    def __init__(self, size: int, count: int) -> None:
        self.size, self.count, self.taken = size, count, 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for _ in range(self.count):
            self.taken += 1
            yield b"x" * self.size


@pytest.mark.parametrize(
    ("size", "count", "is_read"),
    [
        pytest.param(1, MANY_PIECES, True, id="a short answer word by word"),
        pytest.param(536, 1900, True, id="the smallest packets of a network"),
        pytest.param(1, 1_000_000, False, id="crumbs"),
        pytest.param(536, 2000, False, id="more than the limit"),
    ],
)
async def test_a_body_is_read_unless_it_is_too_long_or_comes_in_crumbs(size, count, is_read):
    pieces = Pieces(size, count)

    content = await bounded(aiter(pieces), 1 << 20)

    assert content == (b"x" * size * count if is_read else None)
    if size == 1:
        assert pieces.taken <= MANY_PIECES + 1


def test_an_allowance_is_used_up():
    allowance = ReplyAllowance(10)
    allowance.take(10)

    with pytest.raises(httpcore.ReadError, match="more around its answer"):
        allowance.take(1)


async def ask(hints: int) -> httpx.Response | None:
    """What comes of a server that sends so many hints before its answer."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        try:
            for _ in range(hints):
                writer.write(HINT)
                await writer.drain()
            writer.write(ANSWER)
            await writer.drain()
        except ConnectionError:
            pass
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    async with server, httpx.AsyncClient(transport=FrugalTransport(httpx.Limits())) as client:
        allowing()
        try:
            return await client.get(url)
        except httpx.ReadError:
            return None


async def test_some_hints_are_read_past():
    response = await ask(10)

    assert response is not None
    assert response.text == "ok"


async def test_hints_without_end_are_left():
    response = await ask(20 * (HEAD_BYTES + READ_BYTES) // len(HINT))

    assert response is None


@pytest.mark.parametrize("environment", [{}, {"ALL_PROXY": "http://127.0.0.1:9", "NO_PROXY": "inside"}])
async def test_every_connection_is_bounded_also_of_the_environments_proxies(environment, monkeypatch):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    async with frugal_client(httpx.Timeout(1)) as client:
        transports = [one for one in (client._transport, *client._mounts.values()) if one is not None]

        assert len(transports) == 1 + ("ALL_PROXY" in environment)
        assert {type(one._pool._network_backend).__name__ for one in transports} == {"_Backend"}


async def test_httpx_and_httpcore_keep_the_backend_where_we_set_ours():
    """Attributes of their own, for which there is no public way: set elsewhere, nothing would bound a reply."""
    places = ["_transport", "_mounts"], ["_network_backend"]
    async with httpx.AsyncClient() as client:
        missing = [name for name in places[0] if not hasattr(client, name)]
        pool = getattr(client._transport, "_pool", None)
        missing += [name for name in places[1] if not hasattr(pool, name)]

    assert not missing, (
        f"httpx {httpx.__version__} with httpcore {httpcore.__version__} has no {', '.join(missing)} any more; find "
        "where it keeps its network backend, and change _bound and frugal_client in pitwall_crds/host/http/frugal.py"
    )

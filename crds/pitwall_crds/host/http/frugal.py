"""Bounds what other servers may send in reply by its bytes on the wire, before anything reads them.

httpx counts nothing of it: of interim responses (103) a server may send any number, and each costs as much time of the
event loop, in which nobody else is served, as many kilobytes of a body do.
"""

import ssl
from collections.abc import AsyncIterator, Iterable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final

import httpcore
import httpx

HEAD_BYTES: Final = 65_536
"""Before the answer itself: headers, and responses that announce one."""
READ_BYTES: Final = 16_384
"""At once: what they hold is looked at without a break."""
MANY_PIECES: Final = 256
SMALL_BYTES: Final = 512
"""On average no piece of so many has less: no packet of a network is so small."""


@dataclass(slots=True)
class ReplyAllowance:
    """So many bytes more may come."""

    left: int = HEAD_BYTES

    def take(self, length: int) -> None:
        """Raises httpcore.ReadError where there is more."""
        self.left -= length
        if self.left < 0:
            raise httpcore.ReadError("it sends more around its answer than any has")


_ALLOWED: ContextVar[ReplyAllowance | None] = ContextVar("allowed", default=None)


def allowing() -> ReplyAllowance:
    """What this task's next exchange may bring until its headers are read; whoever reads on allows more."""
    allowance = ReplyAllowance()
    _ALLOWED.set(allowance)
    return allowance


def allow_all() -> None:
    """What this task's exchanges bring is bounded by who reads it."""
    _ALLOWED.set(None)


async def bounded(pieces: AsyncIterator[bytes], most: int) -> bytes | None:
    """The whole of a body; None if it is longer, or comes in crumbs, each of which costs as much as a large piece."""
    content, count = bytearray(), 0
    async for piece in pieces:
        content += piece
        count += 1
        if len(content) > most or (count > MANY_PIECES and len(content) < count * SMALL_BYTES):
            return None
    return bytes(content)


class FrugalTransport(httpx.AsyncHTTPTransport):
    """httpx's transport, of which each exchange reads what its task allows."""

    def __init__(self, limits: httpx.Limits | None = None) -> None:
        super().__init__(limits=limits or httpx.Limits(), trust_env=False)
        _bound(self)


def frugal_client(timeout: httpx.Timeout) -> httpx.AsyncClient:
    """httpx's client, with the environment's proxies and authorities, of which each exchange reads what its task
    allows."""
    client = httpx.AsyncClient(timeout=timeout)
    for transport in (client._transport, *client._mounts.values()):
        if isinstance(transport, httpx.AsyncHTTPTransport):
            _bound(transport)
    return client


def _bound(transport: httpx.AsyncHTTPTransport) -> None:
    """httpcore takes a backend, but httpx hands none on: the tests tell where a version of them keeps it elsewhere."""
    transport._pool._network_backend = _Backend()


class _Backend(httpcore.AnyIOBackend):
    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 – httpcore's own signature, as below
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        return _Stream(await super().connect_tcp(host, port, timeout, local_address, socket_options))


class _Stream(httpcore.AsyncNetworkStream):
    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        allowance = _ALLOWED.get()
        if allowance is None:
            return await self._stream.read(max_bytes, timeout)
        found = await self._stream.read(min(max_bytes, READ_BYTES), timeout)
        allowance.take(len(found))
        return found

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> httpcore.AsyncNetworkStream:
        return _Stream(await self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)

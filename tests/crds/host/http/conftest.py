"""Servers under attack, and clients that speak to them in bytes."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import pytest
import uvicorn

from pitwall_crds.host.http.connection_limits import ConnectionLimits
from pitwall_crds.host.http.places import vouch
from pitwall_crds.host.http.server import GracefulServer
from pitwall_crds.host.http.upgrade import IgnoresUpgrades
from pitwall_crds.host.sockets import listen

ANSWERS = {"/large": b"x" * 50_000_000, "/some": b"x" * 6_000_000, "/page": b"x" * 20_000}


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Reads the body and tells its length. Whoever sends credentials is believed.

    /large sends far more than a socket holds, /headers tells their names, /early does not wait for the body and
    /never does not answer.
    """
    vouch_for(scope)
    size, waits = 0, scope["path"] != "/early"
    while waits and (message := await receive())["type"] == "http.request":
        size += len(message["body"])
        if not message.get("more_body"):
            break
    if scope["path"] == "/never":
        await receive()  # until the connection is over
        return
    body = ANSWERS.get(scope["path"], str(size).encode())
    if scope["path"] == "/headers":
        body = b" ".join(sorted(name for name, _ in scope["headers"]))
    head = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": head})
    await send({"type": "http.response.body", "body": body})


def vouch_for(scope: Any) -> None:
    """Takes the caller's name for its credentials."""
    for name, value in scope["headers"]:
        if name == b"authorization":
            vouch(scope, value.decode())


@dataclass
class RawClient:
    """A client that sends bytes as they are."""

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


@dataclass
class AttackedServer:
    """A served application, and clients that speak to it in bytes."""

    port: int
    server: GracefulServer
    stack: contextlib.AsyncExitStack

    async def client(self, address: str = "127.0.0.1") -> RawClient:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, local_addr=(address, 0))
        self.stack.callback(writer.close)
        return RawClient(reader, writer)

    async def still_serves(self, address: str = "127.0.0.1") -> bool:
        """Whether others are answered, whatever one client did."""
        client = await self.client(address)
        await client.send(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        return (await client.rest()).startswith(b"HTTP/1.1 200")


@pytest.fixture
async def serve() -> AsyncIterator[Callable[..., Any]]:
    """Starts servers of one application, each with limits of its own."""
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

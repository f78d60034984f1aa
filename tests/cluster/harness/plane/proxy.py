"""A proxy before the API server that can be cut, or that silences watches. It ends TLS, to tell requests apart."""

import asyncio
import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from harness.plane.control_plane import ControlPlane
from harness.plugin import with_server
from harness.processes import held_port

ANSWER_SECONDS = 10.0
CHUNK_BYTES = 1 << 16
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


@dataclass(eq=False)
class Connection:
    """A client's connection, and the one to the API server by which it goes on."""

    client: tuple[asyncio.StreamReader, asyncio.StreamWriter]
    server: tuple[asyncio.StreamReader, asyncio.StreamWriter]
    is_watch: bool = False
    is_silent: bool = False

    async def ask(self) -> None:
        """What the client sends."""
        reader, writer = self.client[0], self.server[1]
        while chunk := await reader.read(CHUNK_BYTES):
            head = chunk.partition(b"\r\n")[0]
            if head.endswith(b"HTTP/1.1"):
                self.is_watch = b"watch=true" in head
            writer.write(chunk)
            await writer.drain()
        writer.close()

    async def answer(self, proxy: "Proxy") -> None:
        """What the API server sends."""
        reader, writer = self.server[0], self.client[1]
        while chunk := await reader.read(CHUNK_BYTES):
            if self.is_watch and (self.is_silent or proxy.is_silent):
                proxy.withheld += len(chunk)
                continue
            writer.write(chunk)
            await writer.drain()
        writer.close()

    def reset(self) -> None:
        for _, writer in (self.client, self.server):
            if not writer.is_closing():
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            writer.transport.abort()


class Proxy:
    """Between one client and the API server, in a thread of its own."""

    def __init__(self, plane: ControlPlane) -> None:
        self.port = held_port()
        self.is_silent = False
        self.withheld = 0
        self._plane = plane
        self._connections: set[Connection] = set()
        self._listening: asyncio.Server | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def kubeconfig_of(self, user: str, folder: Path) -> Path:
        """A kubeconfig that leads through here."""
        server = f"https://127.0.0.1:{self.port}"
        return with_server(self._plane.kubeconfig_of(user), server, folder / f"{user}-by-proxy.kubeconfig")

    def start(self) -> "Proxy":
        self._thread.start()
        self.mend()
        return self

    def stop(self) -> None:
        self._do(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(ANSWER_SECONDS)
        self._loop.close()

    def cut(self) -> None:
        """Resets every connection, and refuses new ones."""
        self._do(self._cut())

    def mend(self) -> None:
        """Lets connections through again."""
        self._do(self._listen())

    def silence(self) -> None:
        """Watches stay open and bring nothing any more, those that are opened later too; other requests pass."""
        self.is_silent = True

    def lose_watches(self) -> int:
        """Watches that are open now stay so and bring nothing any more; how many. Later ones work."""
        lost = [each for each in self._connections if each.is_watch]
        for each in lost:
            each.is_silent = True
        return len(lost)

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(ANSWER_SECONDS)

    async def _listen(self) -> None:
        mine = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        mine.load_cert_chain(self._plane.folder / "server.crt", self._plane.folder / "server.key")
        self._listening = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=mine)

    async def _cut(self) -> None:
        if self._listening is not None:
            self._listening.close()
        for each in self._connections:
            each.reset()

    async def _end(self) -> None:
        await self._cut()
        serving = asyncio.all_tasks() - {asyncio.current_task()}
        if serving:
            await asyncio.wait(serving, timeout=ANSWER_SECONDS / 2)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        trusted = ssl.create_default_context(cafile=str(self._plane.authority))
        place = urlsplit(self._plane.server)
        try:
            server = await asyncio.open_connection(place.hostname, place.port, ssl=trusted)
        except OSError:
            writer.transport.abort()
            return
        connection = Connection((reader, writer), server)
        self._connections.add(connection)
        with contextlib.suppress(OSError):
            await asyncio.gather(connection.ask(), connection.answer(self))
        connection.reset()
        self._connections.discard(connection)

"""Does the TLS handshake of a server's connections within its limits, before uvicorn knows of them.

uvicorn leaves it to asyncio, which counts nobody who has not finished, and gives each a minute.
"""

import asyncio
import contextlib
import hashlib
import ssl
from pathlib import Path
from typing import Any, Final, cast

from uvicorn.protocols.utils import get_remote_addr

from pitwall_crds.host.http.connection_limits import GuardedProtocol
from pitwall_crds.host.http.places import Place, peer_of

RENEWAL_SECONDS: Final = 30.0
SHUTDOWN_SECONDS: Final = 86_400.0
"""For ever, as without TLS: asyncio would cut off whoever still reads half a minute after the answer was written. The
guarded protocol watches whether the client does."""


def server_context(certificate: Path, private_key: Path) -> ssl.SSLContext:
    """What a server shows its clients. Raises OSError, of which ssl.SSLError is one."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, private_key)
    return context


async def keep_renewed(context: ssl.SSLContext, certificate: Path, private_key: Path) -> None:
    """Show the files' present certificate to whoever connects from now on, for ever; a pair that does not fit, or is
    not there, is looked at again."""
    known = b""
    while True:
        with contextlib.suppress(OSError):
            known = _renewed(context, certificate, private_key, known)
        await asyncio.sleep(RENEWAL_SECONDS)


def _renewed(context: ssl.SSLContext, certificate: Path, private_key: Path, known: bytes) -> bytes:
    """The digest of what the context shows now."""
    found = hashlib.sha256(certificate.read_bytes() + private_key.read_bytes()).digest()
    if found != known:
        context.load_cert_chain(certificate, private_key)
    return found


class GreetsWithTls(asyncio.Protocol):
    """A connection until its handshake is done; then it is the guarded protocol's, with the place that it has. Made for
    uvicorn, in whose set of connections it stands meanwhile."""

    context: ssl.SSLContext
    guarded: type[GuardedProtocol] = GuardedProtocol

    def __init__(self, *arguments: Any, **named: Any) -> None:
        self._inner = self.guarded(*arguments, **named)
        self._early = bytearray()
        self._greeting: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection, or hang up: whoever has not greeted cannot be told why."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.pause_reading()
        client = get_remote_addr(self._transport)
        self._place = Place(peer_of(client[0] if client else ""), self._transport.abort)
        self._inner.connections.add(cast(Any, self))
        if self.guarded.places.take(self._place):
            self._greeting = asyncio.create_task(self._greet())
        else:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """What came with the handshake's last part waits for it."""
        self._early += data

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 – asyncio's name
        """It is over before it began."""
        self._leave()
        self.guarded.places.leave(self._place)

    def shutdown(self) -> None:
        """The server ends."""
        self._transport.abort()

    async def _greet(self) -> None:
        limit = self.guarded.limits.header_seconds
        loop = asyncio.get_running_loop()
        secure = None
        with contextlib.suppress(OSError):
            secure = await loop.start_tls(
                self._transport, self, self.context,
                server_side=True, ssl_handshake_timeout=limit, ssl_shutdown_timeout=SHUTDOWN_SECONDS,
            )  # fmt: skip
        self._leave()
        if secure is None or secure.is_closing() or not self._place.is_held:
            self.guarded.places.leave(self._place)
            self._transport.abort()
            return
        secure.set_protocol(self._inner)
        self._inner.wire, self._inner.place = self._transport, self._place
        self._inner.connection_made(secure)
        if self._early:
            self._inner.data_received(bytes(self._early))

    def _leave(self) -> None:
        self._inner.connections.discard(cast(Any, self))

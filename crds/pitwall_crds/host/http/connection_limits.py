"""Bounds what one HTTP connection, one peer and all together may take of a server: bytes of headers, time, connections.

uvicorn's fast parser has no such bounds: it would collect headers of any size, wait for them for ever, and accept
connections until the process has no file left to open. Who makes way where all places are taken is places.py's matter.
"""

import asyncio
import resource
from dataclasses import dataclass
from typing import Any, Final, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from pitwall_crds.host.http.places import VOUCH, Place, Places, peer_of
from pitwall_crds.host.http.timers import ReaderWatch, Timer

FILES: Final = 65_536
"""Open files that a server asks its system for."""
SPARE_FILES: Final = 128
"""Files that are left for everything but its clients."""
FRAMING: Final = 8
"""Bytes around a byte of a chunked body: the worst that an honest client sends is chunks of one byte."""
LINE: Final = 4
"""Bytes of a header's line beside its name and value."""
VERSIONS: Final = frozenset({"1.0", "1.1"})
"""Of HTTP, that are served; the parser knows others by name."""


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """What clients may take.

    Attributes:
        header_bytes: of one request, the trailers of its body included.
        header_seconds: from the connection, or the request's first byte, to the end of its headers.
        body_seconds: from there to the end of the body.
        reading_seconds: how long a client may take nothing of an answer that waits for it.
        per_peer: connections of one address, or of IPv6 one /64.
        total: connections of all.
    """

    header_bytes: int = 65_536
    header_seconds: float = 10.0
    body_seconds: float = 60.0
    reading_seconds: float = 60.0
    per_peer: int = 512
    total: int = 2048


def connections_allowed(wanted: int) -> int:
    """So many connections, or as many as the system has files for; it is asked for more first."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    aim = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < aim:
        resource.setrlimit(resource.RLIMIT_NOFILE, (aim, hard))
    return min(wanted, max(16, aim - SPARE_FILES))


class GuardedProtocol(HttpToolsProtocol):
    """uvicorn's fast parser within limits. Make a class with `limits` for each server: its places are the class's."""

    limits = ConnectionLimits()
    places = Places(limits.total, limits.per_peer)
    place: Place | None = None
    """Of a connection that had one before it was this protocol's."""
    wire: asyncio.Transport | None = None

    def __init_subclass__(cls, **named: Any) -> None:
        super().__init_subclass__(**named)
        cls.places = Places(cls.limits.total, cls.limits.per_peer)

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._arriving, self._leaving = Timer(self), ReaderWatch(self, self.limits.reading_seconds)
        self._around = self._head = self._hosts = 0
        self._refused = self._has_headers = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the connection, or turn it away."""
        super().connection_made(transport)
        self._leaving.start()
        if self.place:
            self.place.let_go = self.let_go
        else:
            self.place = Place(peer_of(self.client[0] if self.client else ""), self.let_go)
            if not self.places.take(self.place):
                self._refuse_place()
                return
        self._arriving.start(self.limits.header_seconds)

    def let_go(self) -> None:
        """Make way for another connection."""
        if self.wire or self.transport.get_write_buffer_size():
            self.transport.abort()  # a client that takes nothing would hold its file until its time is over
        elif self._arriving.runs:
            self._refuse_place()
        else:
            self._refused = True
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is waited for any more."""
        self._arriving.stop()
        self._leaving.stop()
        if self.place:
            self.places.leave(self.place)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse, and count what is no body."""
        if self._refused:
            return
        if not self._arriving.runs and (self.cycle is None or not self.cycle.more_body):
            self._arriving.start(self.limits.header_seconds)
        self._around += len(data)
        self.parse(data)
        if self._around > self.limits.header_bytes and not self._refused:
            self._refuse_headers()

    def parse(self, data: bytes) -> None:
        """Hand data to the parser."""
        super().data_received(data)

    def on_message_begin(self) -> None:
        """A request; its application may say that its credentials are good."""
        super().on_message_begin()
        self.scope["extensions"] = cast(Any, {VOUCH: self._vouch})

    def on_url(self, url: bytes) -> None:
        """A part of the address."""
        self._head += len(url)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header. A trailer is counted and dropped: what stands behind a body was seen by no proxy that looks at
        headers (RFC 9110, 6.5.1)."""
        self._head += len(name) + len(value) + LINE
        if not self._has_headers:
            self._hosts += name.lower() == b"host"
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The body has a time of its own. Headers that are too large may have come all at once."""
        if self._refused:
            return
        version = self.parser.get_http_version()
        if self._head > self.limits.header_bytes:
            self._refuse_headers()
        elif version not in VERSIONS:
            self._refuse(505, f"HTTP/{version} is not served here; send HTTP/1.1")
        elif self._hosts > 1 or (not self._hosts and version == "1.1"):
            self._refuse(400, "a request names its host once (RFC 9112, 3.2)")
        else:
            self._has_headers = True
            self._arriving.start(self.limits.body_seconds)
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """What is body is for the application to bound."""
        self._around = max(0, self._around - (1 + FRAMING) * len(body))
        if not self._refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is here; the next one counts anew."""
        self._around = self._head = self._hosts = 0
        self._has_headers = False
        self._arriving.stop()
        if self._refused:
            return
        super().on_message_complete()
        if self.cycle is None or self.cycle.response_complete:  # answered before it was whole: nothing else has a time
            self._arriving.start(self.limits.header_seconds)
        self._note_whose_turn()

    def on_response_complete(self) -> None:
        """The client has its answer, or will when it reads on."""
        super().on_response_complete()
        self._note_whose_turn()

    def pause_writing(self) -> None:
        """Something waits for the client to read on."""
        self._leaving.moved()
        super().pause_writing()
        self._note_whose_turn()

    def resume_writing(self) -> None:
        """It has read on."""
        self._leaving.moved()
        super().resume_writing()
        self._note_whose_turn()

    def _note_whose_turn(self) -> None:
        """It is ours as long as a whole request waits for its answer, and the client reads."""
        if self.place is None:
            return
        cycle = self.cycle
        is_ours = cycle and not (cycle.more_body or cycle.response_complete or self.flow.write_paused)
        (self.places.works if is_ours else self.places.waits)(self.place)

    def _vouch(self, caller: str) -> None:
        if self.place:
            self.places.vouch(self.place, caller)

    def _refuse_place(self) -> None:
        self._refuse(503, "too many connections", "retry-after: 1")

    def _refuse_headers(self) -> None:
        self._refuse(431, f"the headers have more than {self.limits.header_bytes} bytes")

    def _refuse(self, status: int, why: str, *more: str) -> None:
        self._refused = True
        if self.cycle is None or self.cycle.response_complete:
            lines = (f"HTTP/1.1 {status} Refused", "connection: close", *more, f"content-length: {len(why)}")
            self.transport.write("\r\n".join((*lines, "", why)).encode())
        self.transport.close()

"""Refuses what pages of other sites have a browser on this machine send to servers that ask nobody who they are.

A page can reach whatever listens on loopback, also by a name of its own that it makes to lead here.
"""

import socket
from collections.abc import Collection, Iterable
from typing import Any, Final
from urllib.parse import urlsplit

from pitwall_crds.host.sockets import is_loopback

EVERY_PAGE: Final = "*"
LONGEST_TOLD: Final = 128


def foreign(headers: Iterable[tuple[str, str]], pages: Collection[str] = ()) -> str:
    """What tells that a request is not of this machine, in words; empty if nothing does. Names are in lower case.

    Args:
        pages: origins of other pages that may ask, `*` for all.
    """
    for name, value in headers:
        address = f"//{value}" if name == "host" else value
        is_asked = name == "host" or (name == "origin" and EVERY_PAGE not in pages and value not in pages)
        if is_asked and value and not _is_local(address):
            return f"the {name} header is {value[:LONGEST_TOLD]!r}"
    return ""


def for_this_machine(app: Any, listener: socket.socket, pages: Collection[str] = ()) -> Any:
    """The ASGI application, which answers to this machine alone where it listens on loopback; else as it is."""
    return LocalOnly(app, pages) if is_loopback(listener.getsockname()[0]) else app


class LocalOnly:
    """ASGI middleware that answers requests of this machine, and of these pages (403)."""

    def __init__(self, app: Any, pages: Collection[str] = ()) -> None:
        self._app = app
        self._pages = pages

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Hand the request over, or refuse it."""
        headers = scope.get("headers", ())
        why = foreign(((name.decode("latin-1"), value.decode("latin-1")) for name, value in headers), self._pages)
        if not why:
            await self._app(scope, receive, send)
            return
        words = f"{why}; without authentication this server answers to this machine alone: ask http://127.0.0.1"
        body = words.encode()
        head = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 403, "headers": head})
        await send({"type": "http.response.body", "body": body})


def _is_local(address: str) -> bool:
    try:
        name = urlsplit(address).hostname or ""
    except ValueError:
        return False
    return is_loopback(name) or name.endswith(".localhost")

"""Bounds a whole HTTP exchange by one deadline and so many bytes: what answers may send in drops, or without end."""

import asyncio
import contextlib
import io
import threading
import time
from collections.abc import Iterator
from typing import Any, Final

import httpx
import requests
import urllib3
from requests.adapters import HTTPAdapter

from pitwall_crds.host.http.frugal import allowing, bounded
from pitwall_crds.host.http.unpacked import UNPACKED, packing

PIECE_BYTES: Final = 65_536
CONNECT_SHARE: Final = 0.5
"""Of the deadline: so long a name may be looked for, and a connection be made."""


async def body(client: httpx.AsyncClient, url: str, *, seconds: float, most_bytes: int) -> bytes:
    """What a server answers to a GET. Raises httpx.HTTPError, and ValueError where it takes longer or says more."""
    patience, allowance = httpx.Timeout(seconds, connect=seconds * CONNECT_SHARE), allowing()
    try:
        async with (
            asyncio.timeout(seconds),
            client.stream("GET", url, headers=UNPACKED, timeout=patience, follow_redirects=False) as response,
        ):
            response.raise_for_status()
            if packed := packing(response.headers):
                raise ValueError(f"it is packed as {packed}, which nobody asked for")
            allowance.left += 2 * most_bytes
            found = await bounded(response.aiter_raw(), most_bytes)
    except TimeoutError:
        raise ValueError(f"no whole answer came within {seconds:g} s") from None
    if found is None:
        raise ValueError(f"it is longer than {most_bytes} bytes, or comes in crumbs")
    return found


class AnswersTooLongError(requests.RequestException):
    """What was answered is longer than is allowed."""


class ByteAllowance:
    """So many bytes, shared by answers that are held at the same time, in whatever threads."""

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self._left, self._lock = most_bytes, threading.Lock()

    def take(self, length: int) -> None:
        """Raises AnswersTooLongError where so many bytes are not left."""
        with self._lock:
            self._left -= length
            if self._left < 0:
                raise AnswersTooLongError(f"longer than {self.most_bytes} bytes")


class BoundedAdapter(HTTPAdapter):
    """The same for what asks by `requests`, whose own timeout begins anew with each byte."""

    def __init__(self, seconds: float) -> None:
        super().__init__(max_retries=0)
        self._seconds, self._thread = seconds, threading.local()

    @contextlib.contextmanager
    def within(self, allowance: ByteAllowance) -> Iterator[None]:
        """What this thread asks for meanwhile must find its place there."""
        self._thread.allowance = allowance
        try:
            yield
        finally:
            del self._thread.allowance

    def send(self, request: requests.PreparedRequest, *arguments: Any, **options: Any) -> requests.Response:
        """The answer with its whole body. Raises requests.RequestException."""
        until = time.monotonic() + self._seconds
        response = super().send(request, *arguments, **{**options, "stream": True})
        try:
            response.raw = io.BytesIO(self._body(response.raw, until))
        except urllib3.exceptions.HTTPError as error:
            raise requests.ConnectionError(str(error)) from error
        except requests.RequestException:
            response.close()
            raise
        return response

    def _body(self, raw: Any, until: float) -> bytes:
        found = bytearray()
        while piece := raw.read1(PIECE_BYTES, decode_content=True):
            found += piece
            self._thread.allowance.take(len(piece))
            if time.monotonic() > until:
                raise requests.ReadTimeout(f"no whole answer came within {self._seconds:g} s")
        return bytes(found)

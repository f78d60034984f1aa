"""Downloads a video over http(s): pinned address, limited size and time, every redirect checked."""

import asyncio
import hashlib
import math
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import IO, Final
from urllib.parse import SplitResult, urljoin, urlsplit

import httpx

from pitwall_crds.host.files import drafted_file
from pitwall_crds.host.http.frugal import FrugalTransport, allow_all, allowing
from pitwall_runtime.errors import (
    MediaAwayError,
    MediaOriginError,
    MediaRefusedError,
    MediaTooLargeError,
    RedirectsError,
)
from pitwall_runtime.ingest.fetch.conditions import FileHere, is_the_same, validators_of
from pitwall_runtime.ingest.fetch.origin import HEAD_BYTES, holds_all, refuse_status, shown, what_else, what_failed
from pitwall_runtime.ingest.fetch.packing import unpacked
from pitwall_runtime.ingest.fetch.ssrf import port_of
from pitwall_runtime.media import Video

AddressOf = Callable[[SplitResult], Awaitable[str]]
"""An address's parts in, the address to connect to out."""
_REDIRECTS: Final = 3


@dataclass(frozen=True, slots=True)
class DownloadLimits:
    """How much and how long, how many at once, and which private hosts are allowed after all.

    Attributes:
        max_seconds: one download, redirects and headers included.
        header_seconds: name, connection, TLS and the whole head of one response, whatever comes before it.
        read_seconds: between two pieces of the body.
        at_once: downloads under way.
        per_caller: of them, for one caller of the gateway.
        per_user: of them, for one user of a caller.
        per_user_and_host: of those, from one host.
        per_host: of them, from one host; of one caller one less, so that there is one for others.
        waiting_per_host: of one host, for nobody in particular, under way and waiting; more are refused.
        waiting_per_caller: the same of one caller, whatever the host.
        waiting_per_user: the same of one user.
    """

    max_bytes: int = 2 << 30
    max_seconds: float = 120.0
    header_seconds: float = 15.0
    read_seconds: float = 15.0
    at_once: int = 32
    per_caller: int = 16
    per_user: int = 4
    per_user_and_host: int = 1
    per_host: int = 4
    waiting_per_host: int = 20
    waiting_per_caller: int = 128
    waiting_per_user: int = 8
    allowed_hosts: AbstractSet[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Fetched:
    """What an address led to; `headers` of the final response ask later whether it has changed.

    `video` is None where the server says that what is known has not changed (304).
    """

    video: Video | None
    headers: Mapping[str, str] = field(default_factory=dict)


Grow = Callable[[int], Awaitable[None]]
"""Hears of more bytes before they are written."""


@dataclass(frozen=True, slots=True)
class DownloadFolder:
    """Where downloads lie, and what is awaited before more is written: StorageFullError if that may not be. `most` is
    how many bytes there may be of everything."""

    path: Path
    grow: Grow
    most: float = math.inf


async def download(
    url: str, folder: DownloadFolder, limits: DownloadLimits, here: FileHere, address_of: AddressOf
) -> Fetched:
    """Fetch `url` into `folder`, named by its content. `address_of` checks every hop of a redirect like the first one.

    `here` is what is known of it and asked for changes. The caller bounds the time of the whole.
    Raises MediaMissingError, MediaOriginError, MediaRefusedError, MediaTooLargeError, NotAVideoError, StorageFullError
    or OSError.
    """
    first = url
    try:
        # No proxies from the environment: a proxy would resolve the name again, past the check of its address.
        async with httpx.AsyncClient(
            transport=FrugalTransport(), timeout=limits.read_seconds, trust_env=False, follow_redirects=False
        ) as client:
            for _ in range(_REDIRECTS + 1):
                async with _answered(client, url, limits, here.validators, address_of) as response:
                    if not response.has_redirect_location:
                        return await _taken(response, url, folder, limits, here)
                    url = urljoin(url, response.headers["location"])
    except httpx.TimeoutException:
        raise _stalled(url, limits.read_seconds) from None
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        kind = MediaAwayError if isinstance(error, httpx.HTTPError) else MediaOriginError
        raise kind(f"{shown(url)} cannot be fetched: {what_failed(error)}; check address and server") from None
    raise RedirectsError(f"{shown(first)} redirects more than {_REDIRECTS} times; give the final address")


def _stalled(url: str, seconds: float) -> MediaAwayError:
    return MediaAwayError(f"{shown(url)}: its server sent nothing useful for {seconds:g} s; use a faster server")


@asynccontextmanager
async def _answered(
    client: httpx.AsyncClient, url: str, limits: DownloadLimits, validators: Mapping[str, str], address_of: AddressOf
) -> AsyncIterator[httpx.Response]:
    """The head of the response of a pinned address. The request still names the host, in the header and in TLS."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or parts.username or parts.password:
        raise MediaRefusedError(f"{shown(url)} must be http:// or https:// without a user name; give a plain address")
    try:
        # One clock for all that precedes the body: interim responses without end would each renew a read's own.
        async with asyncio.timeout(limits.header_seconds):
            request = await _request(client, parts, validators, address_of)
            allowing()
            response = await client.send(request, stream=True)
            allow_all()
    except TimeoutError:
        raise _stalled(url, limits.header_seconds) from None
    try:
        yield response
    finally:
        await response.aclose()


async def _request(
    client: httpx.AsyncClient, parts: SplitResult, validators: Mapping[str, str], address_of: AddressOf
) -> httpx.Request:
    address = await address_of(parts)
    literal = f"[{address}]" if ":" in address else address
    pinned = parts._replace(netloc=f"{literal}:{port_of(parts)}", fragment="").geturl()
    headers = {"Host": parts.netloc, "Accept-Encoding": "identity", **validators}
    return client.build_request("GET", pinned, headers=headers, extensions={"sni_hostname": parts.hostname})


async def _taken(
    response: httpx.Response, url: str, folder: DownloadFolder, limits: DownloadLimits, here: FileHere
) -> Fetched:
    if response.status_code == HTTPStatus.NOT_MODIFIED:
        return Fetched(None)
    if not holds_all(response.status_code, response.headers.get("content-range", "")):
        said = (response.headers.get(name, "") for name in ("retry-after", "date"))
        refuse_status(response.status_code, url, *said)
    if is_the_same(response.headers, here):
        return Fetched(None)
    declared = response.headers.get("content-length", "0")
    size = int(declared) if declared.isdecimal() else 0
    _check_size(size, limits)
    if size > folder.most:
        raise MediaTooLargeError(
            f"the video has {size} bytes, and the whole cache has room for {folder.most:.0f}; "
            "send a smaller one, or have the operator enlarge the cache"
        )
    with drafted_file(folder.path, prefix=".part-") as draft:
        digest = await _saved(response, draft, folder.grow, limits)
        draft.flush()
        await asyncio.to_thread(os.fsync, draft.fileno())  # a name that is a digest must not outlive a crash alone
        path = folder.path / digest
        os.replace(draft.name, path)
    return Fetched(Video(digest, path), validators_of(response.headers))


async def _saved(response: httpx.Response, draft: IO[bytes], grow: Grow, limits: DownloadLimits) -> str:
    """Write the body; what is no video by its first bytes is not read to its end."""
    digest, size, head = hashlib.sha256(), 0, b""
    packing = response.headers.get("content-encoding", "")
    async for piece in unpacked(response.aiter_raw(), packing):
        size += len(piece)
        _check_size(size, limits)
        await grow(len(piece))
        digest.update(piece)
        draft.write(piece)
        if len(head) < HEAD_BYTES:
            head += piece[: HEAD_BYTES - len(head)]
            if len(head) == HEAD_BYTES:
                _check_kind(head)
    if size < HEAD_BYTES:
        _check_kind(head)
    return digest.hexdigest()


def _check_kind(head: bytes) -> None:
    refusal = what_else(head)
    if refusal:
        raise refusal


def _check_size(size: int, limits: DownloadLimits) -> None:
    if size > limits.max_bytes:
        raise MediaTooLargeError(f"the video has more than {limits.max_bytes} bytes; send a smaller one")

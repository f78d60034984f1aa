"""Downloads a video over http(s): pinned address, limited size and time, every redirect checked."""

import hashlib
import os
import time
from collections.abc import Set as AbstractSet
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import httpx

from pitwall_crds.host.files import drafted_file
from pitwall_runtime.errors import MediaBrokenError, MediaMissingError, MediaRefusedError, MediaTooLargeError
from pitwall_runtime.ingest.ssrf import pinned_address, port_of
from pitwall_runtime.media import Video

_REDIRECTS = 3


@dataclass(frozen=True, slots=True)
class DownloadLimits:
    """How much and how long, and which private hosts are allowed after all."""

    max_bytes: int = 2 << 30
    max_seconds: float = 120.0
    connect_seconds: float = 5.0
    read_seconds: float = 15.0
    allowed_hosts: AbstractSet[str] = frozenset()


def download(url: str, folder: Path, limits: DownloadLimits) -> Video:
    """Fetch `url` into `folder`, named by its content. Every hop of a redirect is checked like the first address."""
    deadline = time.monotonic() + limits.max_seconds
    timeout = httpx.Timeout(limits.read_seconds, connect=limits.connect_seconds)
    try:
        # No proxies from the environment: a proxy would resolve the name again, past the check of its address.
        with httpx.Client(timeout=timeout, trust_env=False, follow_redirects=False) as client:
            for _ in range(_REDIRECTS + 1):
                with _get(client, url, limits) as response:
                    if not response.has_redirect_location:
                        return _save(response, url, folder, limits, deadline)
                    url = urljoin(url, response.headers["location"])
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        reason = str(error) or type(error).__name__
        raise MediaMissingError(f"the video at {url[:200]!r} cannot be fetched: {reason}; check the address") from None
    raise MediaRefusedError(f"{url[:200]!r} redirects more than {_REDIRECTS} times; give the final address")


def _get(client: httpx.Client, url: str, limits: DownloadLimits) -> AbstractContextManager[httpx.Response]:
    """A request to the pinned address that still names the host, in the header and in TLS."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or parts.username or parts.password:
        raise MediaRefusedError(f"{url[:200]!r} must be http:// or https:// without a user name; give a plain address")
    address = pinned_address(parts, limits.allowed_hosts)
    literal = f"[{address}]" if ":" in address else address
    pinned = parts._replace(netloc=f"{literal}:{port_of(parts)}", fragment="").geturl()
    headers = {"Host": parts.netloc, "Accept-Encoding": "identity"}
    return client.stream("GET", pinned, headers=headers, extensions={"sni_hostname": parts.hostname})


def _save(response: httpx.Response, url: str, folder: Path, limits: DownloadLimits, deadline: float) -> Video:
    if response.status_code != httpx.codes.OK:
        raise MediaMissingError(
            f"{url[:200]!r} answered {response.status_code}; check that it can be read without a login"
        )
    _check_size(int(response.headers.get("content-length", "0")), limits)
    digest, size = hashlib.sha256(), 0
    with drafted_file(folder, prefix=".part-") as draft:
        for chunk in response.iter_raw():
            size += len(chunk)
            _check_size(size, limits)
            _check_time(deadline, limits)
            digest.update(chunk)
            draft.write(chunk)
        draft.flush()
        path = folder / digest.hexdigest()
        os.replace(draft.name, path)
    return Video(digest.hexdigest(), path)


def _check_size(size: int, limits: DownloadLimits) -> None:
    if size > limits.max_bytes:
        raise MediaTooLargeError(f"the video has more than {limits.max_bytes} bytes; send a smaller one")


def _check_time(deadline: float, limits: DownloadLimits) -> None:
    if time.monotonic() > deadline:
        raise MediaBrokenError(
            f"the download took longer than the limit of {limits.max_seconds:g} s; use a faster server"
        )

"""Chooses a URL of a variant's pool from the routes file, which is read again whenever it changes."""

import json
import logging
from collections import Counter
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pitwall_crds.names import POOL_ARMS, Arm, Pool
from pitwall_gateway.values.errors import RoutesError

log = logging.getLogger(__name__)
LOOK_SECONDS = 0.1
"""How often the file's stamp is compared."""
AVOID_SECONDS = 2.0
"""How long a URL that refused a connection is passed over while another one is there."""

EDITED_ARMS = POOL_ARMS[Pool.CANDIDATE]
"""Arms that have pods of their own while a variant of the same name is stable."""

Pools = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Routes:
    """Variant → arm → URLs."""

    variants: Mapping[str, Pools] = field(default_factory=dict)

    def urls(self, variant: str, arm: Arm) -> tuple[str, ...]:
        """Who may answer for an arm of a variant; nobody else's pods may, since what they answer would count for it.

        The stable variant's main and control pods stand in for each other. The pods of an edit run another revision:
        they answer for the edit alone, and while it has a pool of its own nobody else answers for it.
        """
        pools = self.variants.get(variant, {})
        alone = arm in EDITED_ARMS and any(each in pools for each in EDITED_ARMS)
        those = (arm, *EDITED_ARMS) if alone else (arm, Arm.STABLE, Arm.CONTROL)
        return next((urls for each in those if (urls := pools.get(each))), ())

    def without(self, urls: Container[str]) -> "Routes":
        """The routes that are left when these URLs are taken out."""
        return Routes(
            {
                variant: {arm: tuple(url for url in pool if url not in urls) for arm, pool in pools.items()}
                for variant, pools in self.variants.items()
            }
        )

    def all_urls(self) -> frozenset[str]:
        """Every URL of every pool."""
        return frozenset(url for pools in self.variants.values() for urls in pools.values() for url in urls)

    def stable_variant(self, preferred: str = "") -> str:
        """The preferred variant if it can serve everybody, else the first that does so from its main pods, else the
        first that can, else empty."""
        serving = [name for name in self.variants if self.urls(name, Arm.STABLE)]
        if preferred in serving:
            return preferred
        return next((name for name in serving if self.variants[name].get(Arm.STABLE)), next(iter(serving), ""))

    def having_urls(self) -> list[str]:
        """The names of the variants that somebody can be sent to, sorted."""
        return sorted(name for name, pools in self.variants.items() if any(pools.values()))


def parse_routes(text: str) -> Routes:
    """The routes of a file's text; raises RoutesError."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RoutesError(f"not JSON: {error}") from None
    variants = document.get("variants") if isinstance(document, dict) else None
    if not isinstance(variants, dict):
        raise RoutesError('the top level must be {"variants": {NAME: {ARM: [URL, …]}}}')
    return Routes({name: _pools(name, pools) for name, pools in variants.items()})


def _pools(name: str, pools: Any) -> Pools:
    if not isinstance(pools, dict):
        raise RoutesError(f"variant {name} must map arms to lists of URLs")
    return {arm: _urls(f"{name}.{arm}", urls) for arm, urls in pools.items()}


def _urls(where: str, urls: Any) -> tuple[str, ...]:
    if not isinstance(urls, list):
        raise RoutesError(f"{where} must be a list of URLs")
    for url in urls:
        if not isinstance(url, str) or not _is_url(url):
            raise RoutesError(f"{where} holds {url!r}; a URL starts with http:// or https://, then host and port")
    return tuple(url.rstrip("/") for url in urls)


def _is_url(text: str) -> bool:
    """Whether a client can call it; one with an impossible port would raise what no caller expects."""
    try:
        url = urlsplit(text)
        return url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
    except ValueError:
        return False


class RouteTable:
    """The file's routes as they are now, and who is busy: single-threaded, owned by the event loop."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._routes = Routes()
        self._stamp: tuple[int, ...] = ()
        self._looked = float("-inf")
        self._busy: Counter[str] = Counter()
        self._avoid_until: dict[str, float] = {}
        self._turn = 0
        self._new: set[str] = set()
        self.problem = "not read yet"

    def current(self, now: float) -> Routes:
        """The newest valid routes. An invalid or missing file keeps the last valid ones and is logged once."""
        if now - self._looked < LOOK_SECONDS:
            return self._routes
        self._looked = now
        stamp = self._read_stamp()
        if stamp != self._stamp or self.problem == "not read yet":
            self._stamp = stamp
            self._read()
        return self._routes

    def take_new(self) -> set[str]:
        """The URLs that have come into the routes since this was last asked, and are still there."""
        taken, self._new = self._new, set()
        return taken

    def pick(self, urls: tuple[str, ...], now: float) -> str:
        """The URL with the fewest calls under way, in turn among equals; one that lately refused comes last."""
        self._turn += 1
        turned = (urls[(self._turn + offset) % len(urls)] for offset in range(len(urls)))
        return min(turned, key=lambda url: (self._avoid_until.get(url, 0.0) > now, self._busy[url]))

    def begin(self, url: str) -> None:
        """One more call is under way to this URL."""
        self._busy[url] += 1

    def end(self, url: str) -> None:
        """A call to this URL ended; URLs without calls are forgotten."""
        self._busy[url] -= 1
        if self._busy[url] <= 0:
            del self._busy[url]

    def refused(self, url: str, now: float) -> None:
        """This URL refused a connection: prefer its neighbours for a moment."""
        self._avoid_until = {known: until for known, until in self._avoid_until.items() if until > now}
        self._avoid_until[url] = now + AVOID_SECONDS

    def _read_stamp(self) -> tuple[int, ...]:
        try:
            status = self._path.stat()
        except OSError:
            return ()
        return (status.st_mtime_ns, status.st_size, status.st_ino)

    def _read(self) -> None:
        try:
            before, self._routes = self._routes.all_urls(), parse_routes(self._path.read_text())
            self._new = (self._new | self._routes.all_urls() - before) & self._routes.all_urls()
            self.problem = ""
        except (OSError, UnicodeDecodeError, RoutesError) as error:
            self.problem = str(error)
            log.warning("routes file %s: %s; keeping the last valid routes", self._path, error)

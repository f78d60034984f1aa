"""Remembers on disk, for all processes of a machine, which video stood at an address and how to ask for changes."""

import hashlib
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pitwall_crds.host.files import read_json, write_json

FRESH_SECONDS: Final = 300.0
"""For so long an address is taken to hold what it held, without a question to its server."""

STALE_SECONDS: Final = 86_400.0
"""For so long it is taken to hold that, too, while its server does not answer."""


@dataclass(frozen=True, slots=True)
class KnownAddress:
    """What an address led to. `validators` are headers for the next request; `checked_at` in epoch seconds."""

    content_hash: str
    validators: Mapping[str, str] = field(default_factory=dict)
    checked_at: float = 0.0

    def fresh(self, now: float) -> bool:
        """Whether the server need not be asked again; a clock that was set back makes it stale."""
        return 0 <= now - self.checked_at < FRESH_SECONDS

    def lasting(self, now: float) -> bool:
        """Whether it is good enough as long as the server does not answer."""
        return 0 <= now - self.checked_at < STALE_SECONDS


@dataclass(frozen=True, slots=True)
class AddressBook:
    """One small file per address, named by its digest: an address may hold a signature, so it is not written down."""

    folder: Path

    def find(self, url: str) -> KnownAddress | None:
        """What is known of an address; None if nothing is, or what is known cannot be read."""
        try:
            data = read_json(self._path(url), None)
            return KnownAddress(str(data["hash"]), dict(data["validators"]), float(data["checkedAt"]))
        except (OSError, ValueError, LookupError, TypeError):
            return None

    def note(self, url: str, content_hash: str, validators: Mapping[str, str]) -> None:
        """Remember it from now on; where it cannot be written it is fetched again some time."""
        data = {"hash": content_hash, "validators": dict(validators), "checkedAt": time.time()}
        with suppress(OSError):
            write_json(self._path(url), data, mode=0o600)

    def _path(self, url: str) -> Path:
        return self.folder / f"{hashlib.sha256(url.encode(errors='surrogatepass')).hexdigest()}.json"

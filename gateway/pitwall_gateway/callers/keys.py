"""Knows callers by the digests of their API keys, from a file that is read again whenever it changes."""

import hashlib
import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from pitwall_gateway.callers.rule import CallerLimits
from pitwall_gateway.values.errors import CallersError

log = logging.getLogger(__name__)
LOOK_SECONDS: Final = 1.0
DIGEST: Final = r"^sha256:[0-9a-f]{64}$"
NAME: Final = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)


class CallerEntry(_Part):
    """One application. Several keys, so that a new one can be given out before the old one goes."""

    name: Annotated[str, Field(pattern=NAME)]
    keys: Annotated[tuple[Annotated[str, Field(pattern=DIGEST)], ...], Field(max_length=16)] = ()
    requests_per_second: Annotated[float | None, Field(ge=0, le=1e6)] = None
    questions_per_day: Annotated[int | None, Field(ge=0)] = None
    questions_at_once: Annotated[int | None, Field(ge=0)] = None
    user_questions_at_once: Annotated[int | None, Field(ge=0)] = None
    share: Annotated[float | None, Field(ge=0, le=1)] = None


class CallersDocument(_Part):
    """The file: every caller that has a key, or limits of its own."""

    callers: tuple[CallerEntry, ...]


class Callers:
    """What the file says now. A file that cannot be read keeps the last callers, and is logged once."""

    def __init__(self, file: Path | None, defaults: CallerLimits, clock: Callable[[], float] = time.monotonic) -> None:
        """Raises CallersError for a file that cannot be used at the start: a gateway that lets nobody in is told."""
        self._file = file
        self._defaults = defaults
        self._clock = clock
        self._stamp: tuple[int, ...] = ()
        self._looked = clock()
        self._by_digest: Mapping[bytes, str] = {}
        self._limits: Mapping[str, CallerLimits] = {}
        if file is not None:
            self._stamp = _stamp(file)
            self._take(_read(file))

    def caller_of(self, key: str) -> str:
        """The caller with this API key; empty if there is none. Keys are long and drawn at random, so their digests
        need no salt, and looking one up tells nothing about another."""
        self._look()
        return self._by_digest.get(hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest(), "")

    def limits_of(self, caller: str) -> CallerLimits:
        """What this caller may ask."""
        self._look()
        return self._limits.get(caller, self._defaults)

    def share_of(self, caller: str) -> float:
        """The largest part of what counts that may be this caller's."""
        return self.limits_of(caller).share

    def _look(self) -> None:
        now = self._clock()
        if self._file is None or now - self._looked < LOOK_SECONDS:
            return
        self._looked = now
        stamp = _stamp(self._file)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._take(_read(self._file))
        except CallersError as error:
            log.warning("%s; keeping the last callers", error)

    def _take(self, document: CallersDocument) -> None:
        self._by_digest = {
            bytes.fromhex(key.removeprefix("sha256:")): entry.name for entry in document.callers for key in entry.keys
        }
        self._limits = {entry.name: _limits(entry, self._defaults) for entry in document.callers}


def _limits(entry: CallerEntry, defaults: CallerLimits) -> CallerLimits:
    own = {name: value for name in CallerLimits.__slots__ if (value := getattr(entry, name)) is not None}
    return CallerLimits(**{name: getattr(defaults, name) for name in CallerLimits.__slots__} | own)


def _stamp(file: Path) -> tuple[int, ...]:
    try:
        status = file.stat()
    except OSError:
        return ()
    return (status.st_mtime_ns, status.st_size, status.st_ino)


def _read(file: Path) -> CallersDocument:
    try:
        document = CallersDocument.model_validate_json(file.read_bytes())
    except OSError as error:
        raise CallersError(f"callers file {file}: {error.strerror}; give --callers a file that can be read") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise CallersError(
            f'callers file {file}: {where}: {first["msg"]}; it holds {{"callers": [{{"name": …, "keys": '
            '["sha256:" and the SHA-256 of the key in hexadecimal]}]}'
        ) from None
    names = [entry.name for entry in document.callers]
    keys = [key for entry in document.callers for key in entry.keys]
    for what, items in (("caller", names), ("key", keys)):
        if twice := next((item for item in items if items.count(item) > 1), ""):
            raise CallersError(f"callers file {file}: {what} {twice} stands there twice; give every {what} one place")
    return document

"""What machines share: pools and embeddings in object storage, and rows that are asked often in Redis before it.

Both only save work: whatever they do not have, or do not answer in time, is made again. Objects are not changed, but
for damaged ones, so nothing needs a lock; two machines that meet a video at the same time may both prepare it.
"""

import logging
import math
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import parse_qsl, urlsplit

from pitwall_runtime.deadline import Deadline
from pitwall_runtime.errors import RefusedError
from pitwall_runtime.stores.network.patience import STALL_SECONDS, Keeper, within, worth
from pitwall_runtime.stores.network.row_tiers import ObjectRows, RedisRows, RowTier

log = logging.getLogger(__name__)

T = TypeVar("T")

_REST_SECONDS: Final = 30.0
"""For so long a server that failed, or was slow, is not asked: each question would wait for it again."""

_HASTY_IN_A_ROW: Final = 5
_COUNTED_SECONDS: Final = 0.2
"""Who waits for less shows nothing about a server."""

_LOGGED: Final = 200
_PIECE_BYTES: Final = 1 << 20
_ROWS_AT_ONCE: Final = 2048
"""Some tens of MiB of the usual encoders' rows."""
_FETCH_PART: Final = 1 / 2
"""Of a question's time, how long frames may come as long as they do."""


@dataclass(slots=True)
class Shared:
    """The tiers, fastest first, and the objects of pools. A tier that fails or is slow is left alone for half a minute.

    No question waits for one longer than a part of its time, nor for what is sent there.
    """

    tiers: Sequence[RowTier] = ()
    objects: Any = None
    keeper: Keeper = field(default_factory=Keeper)
    _rest_until: dict[str, float] = field(default_factory=dict)
    _hasty: dict[str, tuple[int, float]] = field(default_factory=dict)
    """How many questions without time have left a server in a row, and when the first of them had asked it."""

    def read_rows(
        self, place: str, rows: Sequence[int], deadline: Deadline | None = None
    ) -> Iterator[dict[str, dict[int, bytes]]]:
        """What each tier has of `rows`, by its name, a part of the rows after the other: what came of a long film is
        kept, also where there is no time for all of it. What a slower one has is kept in the faster ones, too."""
        left = {tier.name: worth(deadline) for tier in self.tiers}
        for start in range(0, len(rows) if self.tiers else 0, _ROWS_AT_ONCE):
            yield self._read_part(place, rows[start : start + _ROWS_AT_ONCE], left)

    def _read_part(self, place: str, rows: Sequence[int], left: dict[str, float]) -> dict[str, dict[int, bytes]]:
        """`left`: how many seconds each tier has still, of which this takes some."""
        found: dict[str, dict[int, bytes]] = {}
        missing = list(rows)
        for number, tier in enumerate(self.tiers):
            if not missing:
                break
            started = time.monotonic()
            asked = partial(within, left[tier.name], self._heard(tier.name, partial(tier.read, place, missing)))
            here = self._tried(tier.name, asked) or {}
            left[tier.name] -= time.monotonic() - started
            found[tier.name] = here
            missing = [row for row in missing if row not in here]
            if here:
                self._write(self.tiers[:number], place, here)
        return found

    def write_rows(self, place: str, rows: Mapping[int, bytes], deadline: Deadline | None = None) -> None:
        """Keep rows in every tier, if that is possible."""
        self._write(self.tiers, place, rows, deadline)

    def lacking(self, place: str, rows: Sequence[int], deadline: Deadline | None = None) -> list[int]:
        """Those of `rows` that a tier lacks which should have them; none of a tier that does not say."""
        lacked: set[int] = set()
        for tier in self.tiers:
            asked = partial(within, worth(deadline), self._heard(tier.name, partial(tier.lacking, place, rows)))
            lacked.update(self._tried(tier.name, asked) or ())
        return sorted(lacked)

    def fetch(self, path: str, target: Path, grow: Callable[[int], None], deadline: Deadline | None = None) -> bool:
        """Write an object to a file, asking `grow` before each piece; False where it is not there or cannot be had in
        time."""
        import obstore

        latest = time.monotonic() + (deadline.remaining() * _FETCH_PART if deadline else math.inf)

        def copy() -> bool:
            patience = worth(deadline, STALL_SECONDS)
            found = within(patience, self._heard("s3", partial(obstore.get, self.objects, path)))
            pieces = iter(found.stream(_PIECE_BYTES))
            with target.open("wb") as file:
                while piece := within(patience, self._heard("s3", partial(next, pieces, None))):
                    grow(len(piece))
                    file.write(piece)
                    if time.monotonic() > latest:
                        return False
                file.flush()
                os.fsync(file.fileno())  # else a table may outlive a crash, and its frames not
            return True

        return self.objects is not None and bool(self._tried("s3", copy))

    def lacks(self, files: Sequence[tuple[str, Path]], deadline: Deadline | None = None) -> bool:
        """Whether one of the files is no object, or not as long; not so, where that cannot be told."""
        import obstore

        def look() -> bool:
            for path, source in files:
                size = source.stat().st_size
                try:
                    found = within(worth(deadline, STALL_SECONDS), partial(obstore.head, self.objects, path))
                except FileNotFoundError:
                    return True
                if found["size"] != size:
                    return True
            return False

        return self.objects is not None and bool(self._tried("s3", look))

    def keep(self, files: Sequence[tuple[str, Path]], deadline: Deadline | None = None) -> None:
        """Keep files as objects, in this order and while that is possible."""
        import obstore

        def put() -> bool:
            for path, source in files:
                obstore.put(self.objects, path, source)
            return True

        if self.objects is not None:
            self.keeper.send(0, partial(self._tried, "s3", put), deadline)

    def _write(
        self, tiers: Iterable[RowTier], place: str, rows: Mapping[int, bytes], deadline: Deadline | None = None
    ) -> None:
        size = sum(map(len, rows.values()))
        for tier in tiers:
            self.keeper.send(size, partial(self._tried, tier.name, partial(tier.write, place, rows)), deadline)

    def _tried(self, name: str, ask: Callable[[], T]) -> T | None:
        if time.monotonic() < self._rest_until.get(name, 0.0):
            return None
        started = time.monotonic()
        try:
            answer = ask()
        except FileNotFoundError:
            return None
        except RefusedError:
            raise  # this machine's disk is full, which is not the tier's fault
        except BaseException as error:
            # A panic of obstore's Rust is no Exception.
            if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
                raise
            words = (str(error).splitlines() or ["it took too long"])[0][:_LOGGED]  # a library's go on for 30 lines
            if isinstance(error, TimeoutError) and self._is_hasty(name, time.monotonic() - started):
                return None
            log.warning("shared store %s is left alone for %g s: %s", name, _REST_SECONDS, words)
            self._rest_until[name] = time.monotonic() + _REST_SECONDS
            self._hasty.pop(name, None)
            return None
        self._hasty.pop(name, None)
        return answer

    def _heard(self, name: str, ask: Callable[[], T]) -> Callable[[], T]:
        """`ask`, which shows by its end that the server answers, also where the question has left meanwhile: else who
        has less time than an answer usually takes would have it left alone for all."""

        def asked() -> T:
            try:
                return ask()
            finally:
                self._hasty.pop(name, None)

        return asked

    def _is_hasty(self, name: str, waited_seconds: float) -> bool:
        """Whether it was the question that had no time: a few in a row count like one that had, once the server has
        ended no request, in time or late, for as long as it may bring nothing."""
        if waited_seconds >= STALL_SECONDS:
            return False
        now = time.monotonic()
        number, since = self._hasty.get(name, (0, now - waited_seconds))
        if waited_seconds >= _COUNTED_SECONDS:
            number += 1
            self._hasty[name] = number, since
        return number < _HASTY_IN_A_ROW or now - since < STALL_SECONDS


def open_shared(objects_url: str, redis_url: str) -> Shared:
    """The shared stores at `s3://BUCKET/PREFIX?endpoint=…` (or any address that obstore knows) and `redis://…`.

    Empty addresses are left out. Credentials come from the environment, as for every client of S3.
    """
    tiers: list[RowTier] = [RedisRows(redis_url)] if redis_url else []
    if not objects_url:
        return Shared(tiers)
    store = _object_store(objects_url)
    return Shared([*tiers, ObjectRows(store)], store)


def _object_store(address: str) -> Any:
    from obstore.store import from_url

    parts = urlsplit(address)
    plain, options = parts._replace(query="").geturl(), dict(parse_qsl(parts.query))
    if parts.scheme in ("file", "memory"):
        return from_url(plain)
    client: dict[str, str | bool] = {"timeout": "600s", "read_timeout": "30s", "connect_timeout": "2s"}
    client |= {"allow_http": options.get("endpoint", "").startswith("http:")}
    retries = {"max_retries": 1, "retry_timeout": timedelta(seconds=5)}
    return from_url(plain, config=options, client_options=client, retry_config=retries)  # type: ignore[call-overload]

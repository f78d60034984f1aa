"""Places that keep rows of embeddings for all machines: Redis, and objects of many rows each.

Each row has a checksum before it, of itself and of what it is; one that does not fit counts as none, and is made again.
"""

import hashlib
import json
import struct
import threading
import time
import zlib
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Any, Final, Protocol, TypeVar

from pitwall_runtime.stores.network.patience import STALL_SECONDS, begun, within

T = TypeVar("T")
Object = TypeVar("Object", bound=tuple[str, Any])

RowIndex = dict[int, tuple[str, int, int]]
"""Object, start and length of each row."""

_SECONDS_A_BYTE: Final = 1 / (1 << 20)
"""How much longer a request may take for what it brings."""
_REDIS_SECONDS: Final = 2.0
_REDIS_BATCH: Final = 256
_DAY_SECONDS: Final = 86_400
_PLACES_REMEMBERED: Final = 64
_HEADER: Final = struct.Struct("<I")
_CHECK: Final = struct.Struct("<I")
_HEADER_BYTES: Final = 64 << 10
_AT_ONCE: Final = 16
_MOST_OBJECTS: Final = 50_000
"""Of one place: a pool has no more frames. A listing may have no end."""


class RowTier(Protocol):
    """A place that keeps rows of embeddings as bytes; `place` names video, pool and encoder."""

    name: str

    def read(self, place: str, rows: Sequence[int]) -> dict[int, bytes]:
        """Those of `rows` that are there, in few requests. May raise anything: that counts as none."""

    def write(self, place: str, rows: Mapping[int, bytes]) -> None:
        """Keep rows. May raise anything: then they are not kept."""

    def lacking(self, place: str, rows: Sequence[int]) -> list[int]:
        """Those of `rows` that should be there and are not. May raise anything: then nobody knows."""


class RedisRows:
    """A key per row, for a day after its last reading or writing."""

    name = "redis"

    def __init__(self, url: str) -> None:
        import redis

        self._client: Any = redis.Redis.from_url(
            url, socket_timeout=_REDIS_SECONDS, socket_connect_timeout=_REDIS_SECONDS
        )

    def read(self, place: str, rows: Sequence[int]) -> dict[int, bytes]:
        """Those of `rows` that are there: one MGET for each 256."""
        found: dict[int, bytes] = {}
        for start in range(0, len(rows), _REDIS_BATCH):
            batch = rows[start : start + _REDIS_BATCH]
            values = self._client.mget([self._key(place, row) for row in batch])
            opened = {row: _opened(place, row, value) for row, value in zip(batch, values, strict=True) if value}
            found |= {row: value for row, value in opened.items() if value is not None}
        return found

    def write(self, place: str, rows: Mapping[int, bytes]) -> None:
        """Keep rows, in one exchange."""
        with self._client.pipeline(transaction=False) as pipeline:
            for row, value in rows.items():
                pipeline.set(self._key(place, row), _sealed(place, row, value), ex=_DAY_SECONDS)
            pipeline.execute()

    def lacking(self, place: str, rows: Sequence[int]) -> list[int]:
        """None: what nobody asks for need not be in memory."""
        del place, rows
        return []

    def _key(self, place: str, row: int) -> str:
        return f"pitwall:row:{place}:{row}"


@dataclass(frozen=True, slots=True)
class _Place:
    """Which rows of a place lie where, and of which objects the heads are read."""

    index: RowIndex = field(default_factory=dict)
    heads: frozenset[str] = frozenset()


class ObjectRows:
    """Objects of many rows each, with a table of their rows at the head; which object has which row is listed once.

    A few requests are under way at once: a long film has hundreds of objects, and each answer takes its time.
    """

    name = "s3"

    def __init__(self, store: Any) -> None:
        self._store = store
        self._known: OrderedDict[str, _Place] = OrderedDict()
        self._damaged: set[str] = set()
        self._guard = threading.Lock()

    def read(self, place: str, rows: Sequence[int]) -> dict[int, bytes]:
        """Those of `rows` that are there: one request per object, of the ranges that are needed."""
        known = self._known.get(place, _Place())
        if any(row not in known.index for row in rows):
            known = self._listed(place, known)
            self._remember(place, known)
        wanted: dict[str, list[tuple[int, int, int]]] = {}
        for row in rows:
            if row in known.index:
                path, start, length = known.index[row]
                wanted.setdefault(path, []).append((row, start, length))
        found: dict[int, bytes] = {}
        for (path, pieces), values in self._answers(wanted.items(), self._pieces, _bytes_of):
            for (row, _, _), value in zip(pieces, values or (), strict=False):
                opened = _opened(place, row, bytes(value))
                if opened is not None:
                    found[row] = opened
                else:
                    self._damaged.add(path)
        self._forget_damaged(place, known)
        return found

    def _answers(
        self, objects: Iterable[Object], ask: Callable[[Object], T], size: Callable[[Object], int]
    ) -> Iterator[tuple[Object, T | None]]:
        """What `ask` says of each object, whose path stands first; None for one that is not there, as where the
        bucket's rules have deleted it, or is not as it was written."""
        left = iter(objects)
        while batch := list(islice(left, _AT_ONCE)):
            latest = time.monotonic() + STALL_SECONDS + sum(map(size, batch)) * _SECONDS_A_BYTE
            for one, answer in [(one, begun(partial(ask, one))) for one in batch]:
                try:
                    yield one, answer.result(max(0.0, latest - time.monotonic()))
                except (FileNotFoundError, ValueError):
                    self._damaged.add(one[0])
                    yield one, None

    def _pieces(self, wanted: tuple[str, Sequence[tuple[int, int, int]]]) -> Sequence[Any]:
        import obstore

        path, pieces = wanted
        starts, lengths = [start for _, start, _ in pieces], [length for _, _, length in pieces]
        return obstore.get_ranges(self._store, path, starts=starts, lengths=lengths)

    def _forget_damaged(self, place: str, known: _Place) -> None:
        """The next who asks for their rows looks for other objects that hold them."""
        whole = {row: entry for row, entry in known.index.items() if entry[0] not in self._damaged}
        if len(whole) < len(known.index):
            self._remember(place, _Place(whole))

    def write(self, place: str, rows: Mapping[int, bytes]) -> None:
        """One object, named by its content."""
        import obstore

        sealed = {row: _sealed(place, row, value) for row, value in rows.items()}
        head = json.dumps([[row, len(value)] for row, value in sealed.items()]).encode()
        body = _HEADER.pack(len(head)) + head + b"".join(sealed.values())
        path = f"rows/{place}/{hashlib.sha256(body).hexdigest()[:32]}"
        obstore.put(self._store, path, body)
        self._damaged.discard(path)
        known = self._known.get(place, _Place())
        self._remember(place, _Place({**known.index, **_table(path, head, len(body))}, known.heads | {path}))

    def lacking(self, place: str, rows: Sequence[int]) -> list[int]:
        """Those of `rows` that no object holds."""
        known = self._listed(place, self._known.get(place, _Place()))
        self._remember(place, known)
        return [row for row in rows if row not in known.index]

    def _remember(self, place: str, known: _Place) -> None:
        with self._guard:
            self._known[place] = known
            self._known.move_to_end(place)
            while len(self._known) > _PLACES_REMEMBERED:
                self._known.popitem(last=False)

    def _listed(self, place: str, known: _Place) -> _Place:
        """What is there now; the heads that were read before are not read again."""
        sizes = dict(islice(self._sizes(place), _MOST_OBJECTS))
        index = {row: entry for row, entry in known.index.items() if entry[0] in sizes}
        heads = known.heads & sizes.keys() if len(index) == len(known.index) else frozenset[str]()
        new = [(path, size) for path, size in sizes.items() if path not in heads]
        for _, table in self._answers(new, self._head, lambda one: min(_HEADER_BYTES, one[1])):
            index |= table or {}
        return _Place(index, frozenset(sizes))

    def _sizes(self, place: str) -> Iterator[tuple[str, int]]:
        """Path and bytes of each object."""
        import obstore

        batches = iter(obstore.list(self._store, prefix=f"rows/{place}/"))
        while batch := within(STALL_SECONDS, partial(next, batches, None)):
            yield from ((one["path"], one["size"]) for one in batch if one["path"] not in self._damaged)

    def _head(self, found: tuple[str, int]) -> RowIndex:
        """The table of an object of so many bytes. Raises ValueError for one that is not as it was written."""
        path, size = found
        begin = self._beginning(path, min(_HEADER_BYTES, size)) if size else b""
        if len(begin) < _HEADER.size:
            raise ValueError
        (length,) = _HEADER.unpack_from(begin)
        if _HEADER.size + length > size:
            raise ValueError
        if _HEADER.size + length > len(begin):
            begin = self._beginning(path, _HEADER.size + length)
        return _table(path, begin[_HEADER.size : _HEADER.size + length], size)

    def _beginning(self, path: str, length: int) -> bytes:
        import obstore

        return bytes(obstore.get_range(self._store, path, start=0, length=length))


def _bytes_of(wanted: tuple[str, Sequence[tuple[int, int, int]]]) -> int:
    """How many bytes of an object are wanted."""
    return sum(length for _, _, length in wanted[1])


def _sealed(place: str, row: int, value: bytes) -> bytes:
    return _CHECK.pack(_check(place, row, value)) + value


def _opened(place: str, row: int, sealed: bytes) -> bytes | None:
    """A row as it was given to `_sealed`; None if it is not that."""
    value = sealed[_CHECK.size :]
    return value if sealed[: _CHECK.size] == _CHECK.pack(_check(place, row, value)) else None


def _check(place: str, row: int, value: bytes) -> int:
    return zlib.crc32(value, zlib.crc32(f"{place}:{row}".encode()))


def _table(path: str, head: bytes, size: int) -> RowIndex:
    """(object, start, length) of each row that the head of an object names. Raises ValueError where they do not fill
    the object's `size` bytes."""
    entries = json.loads(head)
    if not isinstance(entries, list) or not all(map(_is_entry, entries)):
        raise ValueError
    table: RowIndex = {}
    start = _HEADER.size + len(head)
    for row, length in entries:
        table[row] = (path, start, length)
        start += length
    if start != size:
        raise ValueError
    return table


def _is_entry(said: Any) -> bool:
    """Whether this may be a row and its length."""
    match said:
        case [int(row), int(length)]:
            return row >= 0 and length >= _CHECK.size
    return False

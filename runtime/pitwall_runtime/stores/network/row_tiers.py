"""Places that keep rows of embeddings for all machines: Redis, and objects of many rows each.

Each row has a checksum before it, of itself and of what it is; one that does not fit counts as none, and is made again.
"""

import hashlib
import json
import struct
import threading
import zlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final, Protocol

from pitwall_runtime.stores.network.patience import STALL_SECONDS, within

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


class RowTier(Protocol):
    """A place that keeps rows of embeddings as bytes; `place` names video, pool and encoder."""

    name: str

    def read(self, place: str, rows: Sequence[int]) -> dict[int, bytes]:
        """Those of `rows` that are there, in few requests. May raise anything: that counts as none."""

    def write(self, place: str, rows: Mapping[int, bytes]) -> None:
        """Keep rows. May raise anything: then they are not kept."""


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

    def _key(self, place: str, row: int) -> str:
        return f"pitwall:row:{place}:{row}"


class ObjectRows:
    """Objects of many rows each, with a table of their rows at the head; which object has which row is listed once."""

    name = "s3"

    def __init__(self, store: Any) -> None:
        self._store = store
        self._known: OrderedDict[str, RowIndex] = OrderedDict()
        self._damaged: set[str] = set()
        self._guard = threading.Lock()

    def read(self, place: str, rows: Sequence[int]) -> dict[int, bytes]:
        """Those of `rows` that are there: one request per object, of the ranges that are needed."""
        index = self._known.get(place) or {}
        if any(row not in index for row in rows):
            index = self._listed(place)
            self._remember(place, index)
        wanted: dict[str, list[tuple[int, int, int]]] = {}
        for row in rows:
            if row in index:
                path, start, length = index[row]
                wanted.setdefault(path, []).append((row, start, length))
        found: dict[int, bytes] = {}
        for path, pieces in wanted.items():
            try:
                values = self._pieces(path, pieces)
            except FileNotFoundError:  # the bucket's rules have deleted it
                self._damaged.add(path)
                continue
            for (row, _, _), value in zip(pieces, values, strict=True):
                opened = _opened(place, row, bytes(value))
                if opened is not None:
                    found[row] = opened
                else:
                    self._damaged.add(path)
        self._forget_damaged(place, index)
        return found

    def _pieces(self, path: str, pieces: Sequence[tuple[int, int, int]]) -> list[Any]:
        import obstore

        starts, lengths = [start for _, start, _ in pieces], [length for _, _, length in pieces]
        patience = STALL_SECONDS + sum(lengths) * _SECONDS_A_BYTE
        return within(patience, partial(obstore.get_ranges, self._store, path, starts=starts, lengths=lengths))

    def _forget_damaged(self, place: str, index: RowIndex) -> None:
        """The next who asks for their rows looks for other objects that hold them."""
        whole = {row: entry for row, entry in index.items() if entry[0] not in self._damaged}
        if len(whole) < len(index):
            self._remember(place, whole)

    def write(self, place: str, rows: Mapping[int, bytes]) -> None:
        """One object, named by its content."""
        import obstore

        sealed = {row: _sealed(place, row, value) for row, value in rows.items()}
        head = json.dumps([[row, len(value)] for row, value in sealed.items()]).encode()
        body = _HEADER.pack(len(head)) + head + b"".join(sealed.values())
        path = f"rows/{place}/{hashlib.sha256(body).hexdigest()[:32]}"
        obstore.put(self._store, path, body)
        self._damaged.discard(path)
        self._remember(place, {**self._known.get(place, {}), **_table(path, head, len(body))})

    def _remember(self, place: str, index: RowIndex) -> None:
        with self._guard:
            self._known[place] = index
            self._known.move_to_end(place)
            while len(self._known) > _PLACES_REMEMBERED:
                self._known.popitem(last=False)

    def _listed(self, place: str) -> RowIndex:
        import obstore

        index: RowIndex = {}
        batches = iter(obstore.list(self._store, prefix=f"rows/{place}/"))
        while batch := within(STALL_SECONDS, partial(next, batches, None)):
            for found in (one for one in batch if one["path"] not in self._damaged):
                try:
                    index |= self._head(found["path"], found["size"])
                except (FileNotFoundError, ValueError):
                    self._damaged.add(found["path"])
        return index

    def _head(self, path: str, size: int) -> RowIndex:
        """The table of an object of so many bytes. Raises ValueError for one that is not as it was written."""
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

        patience = STALL_SECONDS + length * _SECONDS_A_BYTE
        return bytes(within(patience, partial(obstore.get_range, self._store, path, start=0, length=length)))


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

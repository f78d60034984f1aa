"""The ingest queue of one machine, in an SQLite file: durable, shared by all processes, and in need of no server."""

import sqlite3
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pitwall_runtime.deadline import caller_of
from pitwall_runtime.errors import QueueAwayError, QueueFullError
from pitwall_runtime.ingest.queue.port import DeadLetter, Delivery, IngestJob, QueueDepth

_POLL_SECONDS: Final = 0.1
_TURN_KEPT_SECONDS: Final = 86_400.0
_DEAD_KEPT: Final = 10_000
_TABLES: Final = """
    CREATE TABLE IF NOT EXISTS jobs (
        number INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT NOT NULL, visible_at REAL NOT NULL, receipt TEXT);
    CREATE INDEX IF NOT EXISTS jobs_visible ON jobs (visible_at, number);
    CREATE TABLE IF NOT EXISTS turns (party TEXT PRIMARY KEY, taken_at REAL NOT NULL);
    CREATE TABLE IF NOT EXISTS dead (
        number INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT NOT NULL, reason TEXT NOT NULL);
"""


_PARTY: Final = "ALTER TABLE jobs ADD COLUMN party TEXT NOT NULL DEFAULT ''"
"""What a file that an earlier version made lacks."""

_NEXT: Final = """
    WITH named AS (SELECT *, substr(party, 1, instr(party || '.', '.') - 1) AS caller FROM jobs),
        waiting AS (SELECT * FROM named WHERE visible_at <= :now),
        taken AS (SELECT * FROM named WHERE visible_at > :now AND receipt IS NOT NULL)
    UPDATE jobs SET visible_at = :until, receipt = :receipt WHERE number = (
        SELECT number FROM waiting
        LEFT JOIN (SELECT caller, count(*) AS of_caller FROM taken GROUP BY caller) USING (caller)
        LEFT JOIN (SELECT party, count(*) AS of_party FROM taken GROUP BY party) USING (party)
        LEFT JOIN (SELECT party AS caller, taken_at AS callers_turn FROM turns) USING (caller)
        LEFT JOIN (SELECT party, taken_at AS partys_turn FROM turns) USING (party)
        ORDER BY coalesce(of_caller, 0), coalesce(callers_turn, 0), coalesce(of_party, 0), coalesce(partys_turn, 0),
            visible_at, number LIMIT 1
    ) RETURNING body, party
"""
"""Of the caller that is worked for least, and of those that of the one who waited longest for a turn; of its parties
the same."""


@dataclass(slots=True)
class LocalQueue:
    """Jobs in turns by caller, and by the caller's users, each one's in the order in which they became visible. Safe
    among threads and processes of one machine."""

    path: Path
    visibility_seconds: float = 60.0
    max_waiting: int = 10_000
    _connection: sqlite3.Connection | None = None
    _file: tuple[int, int] = (0, 0)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def put(self, job: IngestJob) -> None:
        """Add a job, durably. Raises QueueFullError."""
        with self._transaction() as connection:
            (count,) = connection.execute("SELECT count(*) FROM jobs").fetchone()
            if count >= self.max_waiting:
                raise QueueFullError(f"{count} videos wait already, the limit; send this one again in a minute")
            row = (job.to_json(), time.time(), job.party)
            connection.execute("INSERT INTO jobs (body, visible_at, party) VALUES (?, ?, ?)", row)

    def take(self, wait_seconds: float) -> Delivery | None:
        """The next job, for this worker alone for the visibility time; None if none came in time."""
        latest = time.monotonic() + wait_seconds
        while True:
            delivery = self._next()
            if delivery or time.monotonic() >= latest:
                return delivery
            time.sleep(_POLL_SECONDS)

    def _next(self) -> Delivery | None:
        now, receipt = time.time(), uuid.uuid4().hex
        with self._transaction() as connection:
            named = {"now": now, "until": now + self.visibility_seconds, "receipt": receipt}
            found = connection.execute(_NEXT, named).fetchone()
            if found:
                connection.execute("DELETE FROM turns WHERE taken_at < ?", (now - _TURN_KEPT_SECONDS,))
                for name in {found[1], caller_of(found[1])}:
                    connection.execute("INSERT OR REPLACE INTO turns (party, taken_at) VALUES (?, ?)", (name, now))
        return Delivery(IngestJob.from_json(found[0]), receipt) if found else None

    def extend(self, delivery: Delivery) -> None:
        """This worker still works on it."""
        self._change(
            "UPDATE jobs SET visible_at = ? WHERE receipt = ?", time.time() + self.visibility_seconds, delivery
        )

    def done(self, delivery: Delivery) -> None:
        """It needs no more work."""
        with self._transaction() as connection:
            connection.execute("DELETE FROM jobs WHERE receipt = ?", (delivery.receipt,))

    def again(self, delivery: Delivery, delay_seconds: float = 0.0) -> None:
        """Somebody shall try it once more, after so long, and behind those who wait."""
        visible_at = time.time() + delay_seconds
        self._change("UPDATE jobs SET visible_at = ?, receipt = NULL WHERE receipt = ?", visible_at, delivery)

    def bury(self, delivery: Delivery, reason: str) -> None:
        """It cannot be done: keep it among the dead letters, the newest ten thousand."""
        with self._transaction() as connection:
            connection.execute("DELETE FROM jobs WHERE receipt = ?", (delivery.receipt,))
            connection.execute("INSERT INTO dead (body, reason) VALUES (?, ?)", (delivery.job.to_json(), reason))
            connection.execute("DELETE FROM dead WHERE number <= (SELECT max(number) FROM dead) - ?", (_DEAD_KEPT,))

    def depth(self) -> QueueDepth:
        """How much there is to do."""
        with self._transaction() as connection:
            counted = connection.execute(
                "SELECT count(*), sum(visible_at > ? AND receipt IS NOT NULL), (SELECT count(*) FROM dead) FROM jobs",
                (time.time(),),
            ).fetchone()
        every, taken, dead = (int(count or 0) for count in counted)
        return QueueDepth(every - taken, taken, dead)

    def dead_letters(self, limit: int) -> list[DeadLetter]:
        """The newest dead letters."""
        with self._transaction() as connection:
            found = connection.execute(
                "SELECT body, reason FROM dead ORDER BY number DESC LIMIT ?", (limit,)
            ).fetchall()
        return [DeadLetter(IngestJob.from_json(body), reason) for body, reason in found]

    def close(self) -> None:
        """Let go of the file."""
        with self._guard:
            if self._connection:
                self._connection.close()
            self._connection = None

    def _change(self, statement: str, when: float, delivery: Delivery) -> None:
        with self._transaction() as connection:
            connection.execute(statement, (when, delivery.receipt))

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._guard:
            try:
                connection = self._opened()
                connection.execute("BEGIN IMMEDIATE")
                with connection:
                    yield connection
            except sqlite3.Error as error:
                raise QueueAwayError(f"the ingest queue's file {self.path.name} cannot be used: {error}") from None

    def _opened(self) -> sqlite3.Connection:
        if self._connection and self._file != _identity(self.path):
            # Somebody deleted the cache folder: what is written into a deleted file no other process will ever see.
            self._connection.close()
            self._connection = None
        if self._connection is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(self.path, timeout=30, isolation_level=None, check_same_thread=False)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript(_TABLES)
            with suppress(sqlite3.OperationalError):  # it is there already
                connection.execute(_PARTY)
            self._connection, self._file = connection, _identity(self.path)
        return self._connection


def _identity(path: Path) -> tuple[int, int]:
    """Which file it is; zeros where there is none."""
    try:
        status = path.stat()
    except OSError:
        return 0, 0
    return status.st_dev, status.st_ino

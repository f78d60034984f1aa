"""Locks between processes, released when their holder dies: to write alone, and to keep what is used from eviction."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from pitwall_runtime.deadline import Deadline
from pitwall_runtime.errors import UnavailableError
from pitwall_runtime.stores.files.unwritable import is_unwritable

_POLL_SECONDS = 0.05


@contextmanager
def exclusive(path: Path, *, limit_seconds: float, deadline: Deadline | None = None) -> Iterator[None]:
    """Hold `path` alone, across threads and processes.

    Where the disk takes no more there is nothing to write alone, and no lock. Raises UnavailableError at the limit,
    TooLateError at the question's deadline.
    """
    latest = time.monotonic() + limit_seconds
    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            opened = path.open("a")
        except OSError as error:
            if not is_unwritable(error):
                raise
            yield
            return
        with opened as file:
            while not _try(file.fileno(), fcntl.LOCK_EX):
                if deadline:
                    deadline.check()
                if time.monotonic() > latest:
                    raise UnavailableError(
                        f"another process has been preparing this video for {limit_seconds:g} s; ask again in a minute"
                    )
                time.sleep(_POLL_SECONDS)
            if _stands_at(file, path):
                yield
                return


@contextmanager
def held(lease: Path) -> Iterator[None]:
    """Keep what `lease` stands for from being evicted, together with others who use it; it counts as used now.

    Raises FileNotFoundError if it has been evicted.
    """
    while True:
        with _opened(lease) as file:
            fcntl.flock(file.fileno(), fcntl.LOCK_SH)
            if _stands_at(file, lease):
                with suppress(OSError):  # of a disk that takes no more
                    os.utime(file.fileno())
                yield
                return


@contextmanager
def unused(lease: Path) -> Iterator[bool]:
    """Whether nobody holds `lease`; if so, nobody can for as long as the `with` lasts."""
    try:
        file = _opened(lease)
    except OSError:
        yield False
        return
    with file:
        yield _try(file.fileno(), fcntl.LOCK_EX) and _stands_at(file, lease)


def _opened(lease: Path) -> IO[bytes]:
    """A lease, to be locked. That of a folder which an earlier version wrote is made; a file itself must be there."""
    try:
        return lease.open("ab" if lease.name.startswith(".") else "r+b")
    except OSError as error:
        if not is_unwritable(error):
            raise
        return lease.open("rb")


def _stands_at(file: IO[bytes] | IO[str], path: Path) -> bool:
    """Whether the open file is still the one at `path`: it may have been deleted while we waited for its lock."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _try(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

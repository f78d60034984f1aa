"""A file lock between processes, which gives up at its limit or at the question's deadline."""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pitwall_runtime.deadline import Deadline
from pitwall_runtime.errors import UnavailableError

_POLL_SECONDS = 0.05


@contextmanager
def exclusive(path: Path, *, limit_seconds: float, deadline: Deadline | None = None) -> Iterator[None]:
    """Hold `path` alone, across threads and processes. The kernel lets go when a holder dies.

    Raises UnavailableError at the limit, TooLateError at the question's deadline.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    latest = time.monotonic() + limit_seconds
    with path.open("a") as file:
        while not _try(file.fileno()):
            if deadline:
                deadline.check()
            if time.monotonic() > latest:
                raise UnavailableError(
                    f"another process has been preparing this video for {limit_seconds:g} s; ask again in a minute"
                )
            time.sleep(_POLL_SECONDS)
        yield


def _try(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

"""Shares memory among the decodings of a process: first come, first served, and never more than there is."""

import argparse
import os
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from pitwall_runtime.deadline import Deadline

_LEAST_BYTES: Final = 512 << 20
_MOST_BYTES: Final = 4 << 30
_SHARE: Final = 4
"""Models, embeddings in memory and the server itself need the rest."""

_CONTAINER_LIMIT: Final = Path("/sys/fs/cgroup/memory.max")
_LONGEST_WAIT_SECONDS: Final = 3600.0
"""Condition variables know no infinity."""


def default_bytes() -> int:
    """A quarter of what this machine has, or this container may use; between 512 MiB and 4 GiB."""
    there_is = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    with suppress(OSError, ValueError):  # no such file outside of containers, "max" without a limit
        there_is = min(there_is, int(_CONTAINER_LIMIT.read_text()))
    return min(max(there_is // _SHARE, _LEAST_BYTES), _MOST_BYTES)


def add_decode_options(parser: argparse.ArgumentParser) -> None:
    """`--decode-bytes`."""
    parser.add_argument(
        "--decode-bytes",
        type=int,
        default=0,
        help="of memory for all decodings together; what finds no room waits. 0 takes a quarter of the memory, "
        "between 512 MiB and 4 GiB",
    )


class DecodeMemory:
    """So many bytes for all decodings together."""

    def __init__(self, total_bytes: int = 0) -> None:
        """0 takes `default_bytes`."""
        self.total_bytes = self._free = total_bytes or default_bytes()
        self._line: deque[object] = deque()
        self._changed = threading.Condition()

    @property
    def waiting(self) -> int:
        """How many decodings wait for memory."""
        return len(self._line)

    @contextmanager
    def share(self, deadline: Deadline) -> Iterator["MemoryShare"]:
        """A part of it, of no bytes at first, given back at the end."""
        share = MemoryShare(self, deadline)
        try:
            yield share
        finally:
            share.give_back()

    def take(self, count: int, deadline: Deadline) -> None:
        """Wait for so many bytes, behind those who came first. Raises TooLateError."""
        place = object()
        withdraw = deadline.when_given_up(self._wake)
        with self._changed:
            self._line.append(place)
            try:
                while self._line[0] is not place or self._free < count:
                    deadline.check()
                    self._changed.wait(deadline.within(_LONGEST_WAIT_SECONDS))
                self._free -= count
            finally:
                withdraw()
                self._line.remove(place)
                self._changed.notify_all()

    def give_back(self, count: int) -> None:
        """So many bytes are free again."""
        with self._changed:
            self._free += count
            self._changed.notify_all()

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()


class MemoryShare:
    """One decoding's part of the memory."""

    def __init__(self, memory: DecodeMemory, deadline: Deadline) -> None:
        self._memory, self._deadline = memory, deadline
        self.bytes = 0

    def grow(self, count: int) -> None:
        """Hold `count` bytes, or all there are if that is less. Raises TooLateError.

        What is held is given back before more is waited for: no two shares can wait for each other.
        """
        wanted = min(count, self._memory.total_bytes)
        if wanted > self.bytes:
            self.give_back()
            self._memory.take(wanted, self._deadline)
            self.bytes = wanted

    def give_back(self) -> None:
        """Hold nothing."""
        self._memory.give_back(self.bytes)
        self.bytes = 0

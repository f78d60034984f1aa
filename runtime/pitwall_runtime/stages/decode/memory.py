"""Shares memory among the decodings of a process: in turns by party, never more than there is, and never all to one."""

import argparse
import os
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pitwall_runtime.deadline import CALLER_PART, Deadline, caller_of, user_of

_LEAST_BYTES: Final = 512 << 20
"""Two usual films, which one caller may always have at once."""
_MOST_BYTES: Final = 4 << 30
_SHARE: Final = 4
"""Models, embeddings in memory and the server itself need the rest."""

FILM_PART: Final = 1 / 2
"""Of the memory, what one film may have where many ask; and what all films of one user may have."""

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
        help="of memory for all decodings together; what finds no room waits, and a server's film has half at most. "
        "0 takes a quarter of the memory, between 512 MiB and 4 GiB",
    )


@dataclass(slots=True, eq=False)
class _Grant:
    """Memory that a decoding of this party holds."""

    party: str = ""
    bytes: int = 0


@dataclass(slots=True, eq=False)
class _Place:
    """A decoding in the line for memory, and what is held by those who began past it."""

    party: str
    bytes: int
    number: int
    overtakers: list[_Grant] = field(default_factory=list)


class DecodeMemory:
    """So many bytes for all decodings together, in turns: first by caller, then by user, then as they came.

    Who fits begins past those who do not, as long as all who began past one leave it the room that it waits for
    (backfilling, as schedulers call it): nobody waits behind a large film, and nobody for ever.
    """

    def __init__(self, total_bytes: int = 0, *, film_part: float = 1.0) -> None:
        """0 takes `default_bytes`. `film_part` is below 1 where no film may keep all others waiting."""
        self.total_bytes = total_bytes or default_bytes()
        self._film_bytes = int(self.total_bytes * film_part)
        self._line: list[_Place] = []
        self._held = Counter[str]()
        self._turns: dict[str, int] = {}
        """When a caller or user who waits or holds memory joined the line or was served last."""
        self._clock = 0
        self._changed = threading.Condition()

    @property
    def waiting(self) -> int:
        """How many decodings wait for memory."""
        return len(self._line)

    def most_of(self, party: str) -> int:
        """Bytes that one film of this party may have."""
        return min(self._film_bytes, *map(self._part, _pools(party)))

    @contextmanager
    def share(self, deadline: Deadline) -> Iterator["MemoryShare"]:
        """A part of it for this deadline's party, of no bytes at first, given back at the end."""
        share = MemoryShare(self, deadline)
        try:
            yield share
        finally:
            share.give_back()

    def take(self, count: int, deadline: Deadline) -> _Grant:
        """Wait for so many bytes, which are no more than `most_of` the party. Raises TooLateError."""
        withdraw = deadline.when_given_up(self._wake)
        with self._changed:
            place = self._joined(deadline.party, count)
            try:
                while self._next() is not place:
                    deadline.check()
                    self._changed.wait(deadline.within(_LONGEST_WAIT_SECONDS))
                return self._begun(place)
            finally:
                withdraw()
                self._line.remove(place)
                self._forget(place.party)
                self._changed.notify_all()

    def give_back(self, grant: _Grant) -> None:
        """Its bytes are free again."""
        with self._changed:
            for place in self._line:
                if grant in place.overtakers:
                    place.overtakers.remove(grant)
            self._held.subtract(dict.fromkeys(_pools(grant.party), grant.bytes))
            self._forget(grant.party)
            self._changed.notify_all()

    def _joined(self, party: str, count: int) -> _Place:
        self._clock += 1
        for name in _turn_takers(party):
            self._turns.setdefault(name, self._clock)
        place = _Place(party, count, self._clock)
        self._line.append(place)
        return place

    def _next(self) -> _Place | None:
        """Whose turn it is, of those for whom there is room; None where there is room for nobody."""
        ahead: list[_Place] = []
        for place in sorted(self._line, key=self._turn):
            if all(place.bytes <= self._room(pool, ahead) for pool in _pools(place.party)):
                return place
            ahead.append(place)
        return None

    def _room(self, pool: str, ahead: list[_Place]) -> int:
        """Bytes of a pool for somebody behind these, who keeps none of them from theirs."""
        room = self._part(pool) - self._held[pool]
        for place in ahead:
            if pool in self._reserved(place):
                overtaken = sum(grant.bytes for grant in place.overtakers if pool in _pools(grant.party))
                room = min(room, self._part(pool) - place.bytes - overtaken)
        return room

    def _reserved(self, place: _Place) -> Iterator[str]:
        """The pools in which others leave it room: who waits for its own party's films holds up nobody beyond that."""
        for pool in _pools(place.party):
            yield pool
            if self._held[pool] + place.bytes > self._part(pool):
                return

    def _begun(self, place: _Place) -> _Grant:
        grant, line = _Grant(place.party, place.bytes), sorted(self._line, key=self._turn)
        for passed in line[: line.index(place)]:
            passed.overtakers.append(grant)
        self._held.update(dict.fromkeys(_pools(place.party), place.bytes))
        self._clock += 1
        self._turns.update(dict.fromkeys(_turn_takers(place.party), self._clock))
        return grant

    def _turn(self, place: _Place) -> tuple[int, ...]:
        return (*(self._turns[name] for name in _turn_takers(place.party)), place.number)

    def _part(self, pool: str) -> int:
        if not pool:
            return self.total_bytes
        if "." in pool:
            return int(self.total_bytes * FILM_PART)
        return max(int(self.total_bytes * CALLER_PART), min(self.total_bytes, _LEAST_BYTES))

    def _forget(self, party: str) -> None:
        """Remember nobody who neither waits nor holds anything: users may be invented."""
        self._held = +self._held
        still = {name for place in self._line for name in _turn_takers(place.party)}
        for name in _turn_takers(party):
            if name not in still and not self._held[name.rstrip(".")]:
                self._turns.pop(name, None)

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()


def _turn_takers(party: str) -> tuple[str, str]:
    """Callers take turns, and the users of a caller; who names none is one of them."""
    return caller_of(party), user_of(party) or f"{caller_of(party)}."


def _pools(party: str) -> list[str]:
    """Whose parts of the memory a party's films come out of, smallest first: the user's, the caller's, all of it."""
    return [*filter(None, (user_of(party), caller_of(party))), ""]


class MemoryShare:
    """One decoding's part of the memory."""

    def __init__(self, memory: DecodeMemory, deadline: Deadline) -> None:
        self._memory, self._deadline = memory, deadline
        self._grant = _Grant()
        self.most_bytes = memory.most_of(deadline.party)

    @property
    def bytes(self) -> int:
        """What is held."""
        return self._grant.bytes

    def grow(self, count: int) -> None:
        """Hold `count` bytes, or all that this film may have if that is less. Raises TooLateError.

        What is held is given back before more is waited for: no two shares can wait for each other.
        """
        wanted = min(count, self.most_bytes)
        if wanted > self.bytes:
            self.give_back()
            self._grant = self._memory.take(wanted, self._deadline)

    def give_back(self) -> None:
        """Hold nothing."""
        grant, self._grant = self._grant, _Grant()
        self._memory.give_back(grant)

"""Keeps the evaluations of all flags of this second: clients that send the same context at once cost one evaluation."""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from pitwall_flags.service.auth import Roots
from pitwall_flags.service.publish import FlagSnapshot

MOST_CHARACTERS: Final = 8 * 2**20


@dataclass(frozen=True, slots=True)
class Evaluated:
    """All flags' results, as the fields of a JSON object, and the tag that stands for them."""

    fields: str
    etag: str


class KnownEvaluations:
    """Those of one snapshot and one second, which is as long as a rule that asks for the time says the same."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._of: FlagSnapshot | None = None
        self._second, self._size = 0, 0
        self._known: dict[tuple[Roots, bytes], Evaluated] = {}

    def second(self) -> int:
        """The second of the epoch that it is."""
        return int(self._clock())

    def find(self, snapshot: FlagSnapshot, roots: Roots, sent: bytes) -> Evaluated | None:
        """What the flags of these roots are for a request with this body, if it was asked this second."""
        self._turn_to(snapshot)
        return self._known.get(_place(roots, sent))

    def keep(self, snapshot: FlagSnapshot, roots: Roots, sent: bytes, found: Evaluated, second: int) -> None:
        """Keep what was found by an evaluation that began in this second (of the epoch)."""
        self._turn_to(snapshot)
        if second == self._second and self._size + len(found.fields) <= MOST_CHARACTERS:
            self._known[_place(roots, sent)] = found
            self._size += len(found.fields)

    def _turn_to(self, snapshot: FlagSnapshot) -> None:
        second = self.second()
        if snapshot is not self._of or second != self._second:
            self._of, self._second, self._size = snapshot, second, 0
            self._known.clear()


def _place(roots: Roots, sent: bytes) -> tuple[Roots, bytes]:
    return roots, hashlib.sha256(sent).digest()

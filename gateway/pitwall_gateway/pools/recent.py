"""Answered questions in, the latest few of them out; bounded in number and bytes."""

from collections import OrderedDict
from itertools import islice
from typing import Final

BODIES: Final = 16
BYTES: Final = 262_144


class RecentQuestions:
    """The last distinct bodies that were answered."""

    def __init__(self, bodies: int = BODIES, size: int = BYTES) -> None:
        self._most = bodies
        self._room = size
        self._kept: OrderedDict[bytes, None] = OrderedDict()

    def keep(self, body: bytes) -> None:
        """A question with this body was answered; one larger than all the room is not kept."""
        if body in self._kept:
            self._kept.move_to_end(body)
            return
        if len(body) > self._room:
            return
        self._kept[body] = None
        while len(self._kept) > self._most or sum(map(len, self._kept)) > self._room:
            self._kept.popitem(last=False)

    def latest(self, number: int) -> tuple[bytes, ...]:
        """At most so many bodies, the latest first."""
        return tuple(islice(reversed(self._kept), number))

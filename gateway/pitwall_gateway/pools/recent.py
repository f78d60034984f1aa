"""Answered questions in, the latest few of them out: one of each party, bounded in number and bytes."""

from collections import OrderedDict
from itertools import islice
from typing import Final

from pitwall_gateway.values.speaker import NOBODY, Party

BODIES: Final = 16
BYTES: Final = 262_144


class RecentQuestions:
    """The last distinct bodies that were answered, of each party the last: what a new pod answers first is nobody's to
    choose alone."""

    def __init__(self, bodies: int = BODIES, size: int = BYTES) -> None:
        self._most = bodies
        self._room = size
        self._kept: OrderedDict[bytes, Party] = OrderedDict()

    def keep(self, body: bytes, party: Party = NOBODY) -> None:
        """This party's question with this body was answered; one larger than all the room is not kept. Questions that
        name no user are nobody's in particular."""
        if len(body) > self._room:
            return
        if party.person:
            earlier = next((known for known, whose in self._kept.items() if whose == party and known != body), None)
            self._kept.pop(earlier or b"", None)
        self._kept[body] = party
        self._kept.move_to_end(body)
        while len(self._kept) > self._most or sum(map(len, self._kept)) > self._room:
            self._kept.popitem(last=False)

    def latest(self, number: int) -> tuple[bytes, ...]:
        """At most so many bodies, the latest first."""
        return tuple(islice(reversed(self._kept), number))

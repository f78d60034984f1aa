"""Answered questions in, the latest few of them out: one of each party, bounded in number and bytes."""

from collections import Counter, OrderedDict
from typing import Final

from pitwall_gateway.values.speaker import NOBODY, Party

BODIES: Final = 16
BODY_BYTES: Final = 16_384


class RecentQuestions:
    """The last distinct bodies that were answered, of each party the last: what a new pod answers first is nobody's to
    choose alone."""

    def __init__(self, bodies: int = BODIES, body_bytes: int = BODY_BYTES) -> None:
        self._most = bodies
        self._largest = body_bytes
        self._kept: OrderedDict[bytes, Party] = OrderedDict()

    def keep(self, body: bytes, party: Party = NOBODY) -> None:
        """This party's question with this body was answered; a large one is not kept. Questions that name no user are
        nobody's in particular."""
        if len(body) > self._largest:
            return
        if party.person:
            earlier = next((known for known, whose in self._kept.items() if whose == party and known != body), None)
            self._kept.pop(earlier or b"", None)
        self._kept[body] = party
        self._kept.move_to_end(body)
        if len(self._kept) > self._most:
            self._kept.popitem(last=False)

    def latest(self, number: int) -> tuple[bytes, ...]:
        """At most so many bodies, the latest first; each caller has one before any has a second."""
        of_caller, ranked = Counter[str](), []
        for body, party in reversed(self._kept.items()):
            ranked.append((of_caller[party.caller], body))
            of_caller[party.caller] += 1
        return tuple(body for _, body in sorted(ranked, key=lambda one: one[0])[:number])

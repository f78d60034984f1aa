"""Tells whether a user is seen for the first time under the present split, in bounded memory.

Pure: no clock, chance or I/O.
"""

from collections.abc import Callable, Mapping

from pitwall_flags.flag.document import read_split, split_name

CAPACITY = 200_000
"""Users remembered per split; whoever comes after so many is no longer counted, on any arm."""

Counts = Callable[[str], bool]
"""Counts a new user under the split of this name, and says whether it did."""


class FirstVisits:
    """Who has been met since the split last changed. Nobody counts twice, so that counts per arm fit the weights.

    `split` names the split that users are met under; empty where the flag holds none.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        self.split = ""
        self._capacity = capacity
        self._document: object = None
        self._met: set[int] = set()

    def meets(self, user: str, document: object, counts: Counts = lambda _: True) -> bool:
        """True at a user's first question under this flag document, if it counts; else the next one is the first. A
        caller without a name is a new one each time."""
        if document is not self._document:
            self._follow(document)
        mark = hash(user)
        if user and (mark in self._met or len(self._met) >= self._capacity):
            return False
        if not counts(self.split):
            return False
        if user:
            self._met.add(mark)
        return True

    def _follow(self, document: object) -> None:
        if document != self._document:
            split = read_split(document) if isinstance(document, Mapping) else None
            name = split_name(split.salt, {share.arm: share.weight for share in split.shares}) if split else ""
            if name != self.split or not name:
                self._met = set()
            self.split = name
        self._document = document

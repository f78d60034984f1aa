"""Users in; whether each is met for the first time under the present split, out. Pure, in bounded memory."""

CAPACITY = 200_000
"""Users remembered per split; whoever comes after so many is no longer counted, on any arm."""


class Census:
    """Who has been met since the split last changed. Nobody counts twice, so that counts per arm fit the weights."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._split: object = None
        self._met: set[int] = set()

    def meets(self, user: str, split: object) -> bool:
        """True at a user's first question under this split. A caller without a name is a new one each time."""
        if split is not self._split and split != self._split:
            self._met = set()
        self._split = split
        if not user:
            return True
        mark = hash(user)
        if mark in self._met or len(self._met) >= self._capacity:
            return False
        self._met.add(mark)
        return True

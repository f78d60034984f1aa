"""Values in, how many lie within and beyond each of some edges out; adding is cheap, cumulating is done when asked."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import accumulate


class Spread:
    """Counts by the number of edges that a value has passed. An unfinished value is known to have passed so many, and
    is never counted within one."""

    __slots__ = ("_edges", "_ended", "_unfinished")

    def __init__(self, edges: Sequence[float]) -> None:
        self._edges = edges
        self._ended = [0] * (len(edges) + 1)
        self._unfinished = [0] * (len(edges) + 1)

    @property
    def total(self) -> int:
        """How many values have ended."""
        return sum(self._ended)

    def passed(self, value: float) -> int:
        """How many edges are smaller than the value."""
        return bisect_left(self._edges, value)

    def ended(self, passed: int) -> None:
        """A value was measured; it passed so many edges."""
        self._ended[passed] += 1

    def gave_up(self, passed: int) -> None:
        """A value will not be known any better than that it passed so many edges."""
        self._unfinished[passed] += 1

    def within(self) -> list[int]:
        """For each edge, the values at or below it."""
        return list(accumulate(self._ended[:-1]))

    def beyond(self, still_open: Iterable[int] = ()) -> list[int]:
        """For each edge, the values known to lie above it; `still_open` are edges passed by values under way."""
        known = [ended + unfinished for ended, unfinished in zip(self._ended, self._unfinished, strict=True)]
        for passed in still_open:
            known[passed] += 1
        total = sum(known)
        return [total - not_beyond for not_beyond in accumulate(known[:-1])]

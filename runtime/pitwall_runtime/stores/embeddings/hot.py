"""Keeps arrays in memory, those used last, up to so many bytes."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable

from pitwall_runtime.media import Floats


class HotArrays:
    """A cache of arrays, bounded by their bytes. What is larger than the bound is made anew each time."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._arrays: OrderedDict[Hashable, Floats] = OrderedDict()
        self._guard = threading.Lock()
        self.bytes = 0

    def find(self, key: Hashable) -> Floats | None:
        """The array of `key` if it is in memory."""
        with self._guard:
            found = self._arrays.get(key)
            if found is not None:
                self._arrays.move_to_end(key)
            return found

    def get(self, key: Hashable, make: Callable[[], Floats]) -> Floats:
        """The array of `key`, from memory or made now; two who need it at once may both make it."""
        found = self.find(key)
        if found is not None:
            return found
        made = make()
        if made.nbytes <= self._max_bytes:
            self._keep(key, made)
        return made

    def _keep(self, key: Hashable, made: Floats) -> None:
        with self._guard:
            before = self._arrays.pop(key, None)
            self.bytes += made.nbytes - (before.nbytes if before is not None else 0)
            self._arrays[key] = made
            while self.bytes > self._max_bytes:
                self.bytes -= self._arrays.popitem(last=False)[1].nbytes

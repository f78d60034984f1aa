"""How many of something each party may have at once, and where it waits for them."""

import asyncio
import contextlib
from contextlib import AbstractAsyncContextManager
from weakref import WeakValueDictionary


class PartyPlaces:
    """So many places of each party, in one event loop."""

    def __init__(self) -> None:
        self._places: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    def place(self, name: str, number: int) -> AbstractAsyncContextManager[None]:
        """One of a party's places; who is nobody in particular has no bound of their own."""
        return self.line(name, number) if name else contextlib.nullcontext()

    def line(self, name: str, number: int) -> asyncio.Semaphore:
        """Where a party waits for its places. It is remembered as long as somebody does, or has one."""
        place = self._places.get(name)
        if place is None:
            place = self._places[name] = asyncio.Semaphore(number)
        return place

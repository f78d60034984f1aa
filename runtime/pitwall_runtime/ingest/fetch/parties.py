"""Who asks: a caller of the gateway and, behind a dot, one of its users; and how much of something each may have."""

import asyncio
import contextlib
from contextlib import AbstractAsyncContextManager
from weakref import WeakValueDictionary


def caller_of(party: str) -> str:
    """The caller of a party; empty for nobody in particular."""
    return party.partition(".")[0]


def user_of(party: str) -> str:
    """The party where it is a single user's; empty for all others."""
    return party if party.partition(".")[2] else ""


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

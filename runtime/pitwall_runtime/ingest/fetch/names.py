"""Asks name servers in threads of their own, of which no user has many: one that never answers holds up nobody else."""

import asyncio
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from typing import Final
from urllib.parse import SplitResult
from weakref import WeakValueDictionary

from pitwall_runtime.ingest.fetch.ssrf import pinned_address

THREADS: Final = 64
OF_ONE_USER: Final = 4


class NameLookups:
    """The addresses of hosts. A look-up cannot be ended: whoever leaves one has its thread among theirs until then."""

    def __init__(self, allowed_hosts: AbstractSet[str]) -> None:
        self._allowed_hosts = allowed_hosts
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="names")
        self._places: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    async def address(self, parts: SplitResult, party: str) -> str:
        """See `pinned_address`. `party` is a caller and, behind a dot, a user."""
        loop = asyncio.get_running_loop()
        place = self._place(party)
        await place.acquire()
        asked = self._threads.submit(pinned_address, parts, self._allowed_hosts)
        asked.add_done_callback(lambda _: loop.call_soon_threadsafe(place.release))
        return await asyncio.wrap_future(asked)

    def _place(self, party: str) -> asyncio.Semaphore:
        number = OF_ONE_USER if party.partition(".")[2] else THREADS
        place = self._places.get(party)
        if place is None:
            place = self._places[party] = asyncio.Semaphore(number)
        return place

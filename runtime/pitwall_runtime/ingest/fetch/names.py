"""Asks name servers in threads of their own, of which no user has many: one that never answers holds up nobody else."""

import asyncio
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from typing import Final
from urllib.parse import SplitResult

from pitwall_runtime.deadline import user_of
from pitwall_runtime.ingest.fetch.parties import PartyPlaces
from pitwall_runtime.ingest.fetch.ssrf import pinned_address

THREADS: Final = 64
OF_ONE_USER: Final = 4


class NameLookups:
    """The addresses of hosts. A look-up cannot be ended: whoever leaves one has its thread among theirs until then."""

    def __init__(self, allowed_hosts: AbstractSet[str]) -> None:
        self._allowed_hosts = allowed_hosts
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="names")
        self._places = PartyPlaces()

    async def address(self, parts: SplitResult, party: str) -> str:
        """See `pinned_address`. `party` is a caller and, behind a dot, a user."""
        loop = asyncio.get_running_loop()
        place = self._places.line(party, OF_ONE_USER if user_of(party) else THREADS)
        await place.acquire()
        asked = self._threads.submit(pinned_address, parts, self._allowed_hosts)
        asked.add_done_callback(lambda _: loop.call_soon_threadsafe(place.release))
        return await asyncio.wrap_future(asked)

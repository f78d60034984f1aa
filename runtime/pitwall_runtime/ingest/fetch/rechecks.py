"""Asks the server of a known address whether its file has changed: on places of its own, and for a short time.

A video that is here waits behind nobody's downloads. While its server does not say, it is taken to be as it was: but
by those who must be certain, who wait for a download's places, and for the server as long as a download does.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from pitwall_runtime.deadline import Deadline, user_of
from pitwall_runtime.errors import (
    HostUnknownError,
    MediaAwayError,
    MediaClosedError,
    MediaMissingError,
    MediaOriginError,
    NotAVideoError,
    RedirectsError,
    RefusedError,
    StorageFullError,
)
from pitwall_runtime.ingest.fetch.addresses import KnownAddress
from pitwall_runtime.ingest.fetch.parties import PartyPlaces
from pitwall_runtime.media import Video

RECHECK_SECONDS: Final = 2.5
"""For so long a server is asked, waiting for a place included."""

_PART: Final = 1 / 4
"""Of a question's time, how much of it that may take."""

_REST_SECONDS: Final = 30.0
"""For so long an address whose server did not say is not asked about again."""

_AT_ONCE: Final = 64
_OF_ONE_HOST: Final = 16
_OF_ONE_USER: Final = 4
_REMEMBERED: Final = 4096

_NOT_SAID: Final = (MediaAwayError, HostUnknownError, StorageFullError, OSError)
"""After these it is not known whether the file has changed; a timeout is an OSError, too."""

_TAKEN_AWAY: Final = (MediaMissingError, MediaClosedError)

_MADE_NO_SENSE: Final = (MediaOriginError, RedirectsError, NotAVideoError)
"""Nor after these, where they are no word that there is no film any more: a 408 or 421, a page about maintenance."""

Fetch = Callable[[str, KnownAddress, str, asyncio.Event], Awaitable[Video]]
"""Address, what is known of it, party, and what is set once a file is being sent, in; the video out."""


Download = Callable[[str, Deadline, str], Awaitable[Video]]
"""The whole way of a video that is not here, which waits for its places."""


@dataclass(frozen=True, slots=True)
class AskedAddress:
    """An address, its host, for whom it is asked about, and whether they need what its server has now."""

    url: str
    host: str
    party: str
    certain: bool = False


class Rechecks:
    """One question to the server for all who wait for an address."""

    def __init__(self, fetch: Fetch, download: Download) -> None:
        self._fetch, self._download = fetch, download
        self.renewed: dict[str, asyncio.Task[None]] = {}
        """Addresses that are downloaded while questions are answered about what is here."""
        self._places = asyncio.Semaphore(_AT_ONCE)
        self._places_of_host, self._places_of_user = PartyPlaces(), PartyPlaces()
        self._under_way: dict[str, asyncio.Task[Video | None]] = {}
        self._rest_until: OrderedDict[str, float] = OrderedDict()

    async def video(self, asked: AskedAddress, known: KnownAddress, here: Video, deadline: Deadline) -> Video | None:
        """What the address holds, `here` if it does as it did; None where a question must wait for a download.

        Raises what says that there is no video any more, or that it may not be read; to who must be certain also that
        the server does not say, a MediaAwayError.
        """
        if asked.certain:
            return await self._certainly(asked, deadline)
        kept = here if known.lasting(time.time()) else None
        is_left_alone = asked.url in self.renewed or time.monotonic() < self._rest_until.get(asked.url, 0.0)
        if kept and is_left_alone:
            return kept
        task = self._under_way.get(asked.url)
        if task is None:
            task = self._under_way[asked.url] = asyncio.create_task(self._asked(asked, known, kept))
            task.add_done_callback(lambda done: self._ended(asked.url, done))
        await asyncio.wait([task], timeout=min(2 * RECHECK_SECONDS, deadline.remaining() * _PART))
        return task.result() if task.done() else kept

    async def _certainly(self, asked: AskedAddress, deadline: Deadline) -> Video:
        try:
            return await self._download(asked.url, deadline, asked.party)
        except HostUnknownError as error:
            # Its host had a name once: it is the name server that is away, and another try may find it.
            raise MediaAwayError(error.message) from None

    async def _renew(self, asked: AskedAddress) -> None:
        try:
            with suppress(RefusedError, OSError):
                await self._download(asked.url, Deadline(), asked.party)
        finally:
            del self.renewed[asked.url]

    def _ended(self, url: str, task: "asyncio.Task[Video | None]") -> None:
        del self._under_way[url]
        if not task.cancelled():
            task.exception()  # seen: whoever waited has it

    async def _asked(self, asked: AskedAddress, known: KnownAddress, kept: Video | None) -> Video | None:
        is_sent = asyncio.Event()
        try:
            async with (
                asyncio.timeout(RECHECK_SECONDS),
                self._places_of_user.place(user_of(asked.party), _OF_ONE_USER),
                self._places_of_host.place(asked.host, _OF_ONE_HOST),
                self._places,
            ):
                return await self._fetch(asked.url, known, asked.party, is_sent)
        except _NOT_SAID:
            if is_sent.is_set() and known.validators:
                return None  # another file, by what the server said of the one that is here
        except _TAKEN_AWAY:
            raise
        except _MADE_NO_SENSE:
            is_sent.clear()  # that need not be downloaded anew
        self._rest(asked.url)
        if kept and is_sent.is_set():
            self.renewed[asked.url] = asyncio.create_task(self._renew(asked))
        return kept

    def _rest(self, url: str) -> None:
        self._rest_until[url] = time.monotonic() + _REST_SECONDS
        self._rest_until.move_to_end(url)
        while len(self._rest_until) > _REMEMBERED:
            self._rest_until.popitem(last=False)

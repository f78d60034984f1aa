"""Fetches remote videos in a thread of its own: so many at once, so many per host, caller and user, each address once
for all who wait.

Downloads are not answers: a slow server takes a place here and none among the questions.
"""

import asyncio
import contextlib
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit
from weakref import WeakValueDictionary

from pitwall_runtime.deadline import Deadline
from pitwall_runtime.errors import MediaOriginError, StorageFullError
from pitwall_runtime.ingest.fetch.addresses import AddressBook, KnownAddress
from pitwall_runtime.ingest.fetch.download import DownloadFolder, DownloadLimits, download
from pitwall_runtime.ingest.fetch.names import NameLookups
from pitwall_runtime.ingest.fetch.origin import shown
from pitwall_runtime.media import Video
from pitwall_runtime.stores.files.eviction import Quota
from pitwall_runtime.stores.files.lock import held


@dataclass(slots=True)
class Flight:
    """One download under way, how many wait for it, and for which of those parties it may begin, once it may."""

    task: "asyncio.Task[Video]"
    may_begin: "asyncio.Future[str]"
    waiting: int = 0


class Fetcher:
    """Downloads into `folder`. Its thread starts with the first download and ends with the process."""

    def __init__(self, folder: Path, limits: DownloadLimits, quota: Quota | None = None) -> None:
        self.folder, self.limits = folder, limits
        self._quota = quota or Quota(folder.parent)
        self._book = AddressBook(folder / "addresses")
        self._flights: dict[str, Flight] = {}
        self._of_host: Counter[str] = Counter()
        self._host_places: dict[str, asyncio.Semaphore] = {}
        self._party_places: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        self._places = asyncio.Semaphore(limits.at_once)
        self._names = NameLookups(limits.allowed_hosts)
        self._guard = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None

    def submit(self, url: str, deadline: Deadline, party: str = "") -> "Future[Video]":
        """The video at `url`, some time. Cancel the future to stop waiting; the last one to leave stops the download.
        `party` is a caller and, behind a dot, a user: the first who asks for an address has the download among theirs.

        Fails with what `download` raises, or MediaOriginError if the deadline passes or too many wait for the host.
        """
        return asyncio.run_coroutine_threadsafe(self._wait(url, deadline, party), self._running())

    def fetch(self, url: str, deadline: Deadline) -> Video:
        """`submit` for who has nothing else to do."""
        future = self.submit(url, deadline)
        withdraw = deadline.when_given_up(lambda: _cancel(future))
        try:
            return future.result()
        except (CancelledError, FutureTimeoutError):
            deadline.check()
            raise
        finally:
            withdraw()

    @contextlib.contextmanager
    def keeping(self, video: Video) -> Iterator[bool]:
        """Keep a download from eviction while the `with` lasts; False if it has been evicted already."""
        if video.path.parent != self.folder:
            yield True
            return
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(held(video.path))
            except FileNotFoundError:
                yield False
                return
            yield True

    def forget(self, video: Video) -> None:
        """Delete a download that turned out to be of no use."""
        path = self.folder / video.content_hash
        if video.path == path:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._guard:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=self._loop.run_forever, name="downloads", daemon=True).start()
            return self._loop

    async def _wait(self, url: str, deadline: Deadline, party: str) -> Video:
        flight = self._flights.get(url) or self._take_off(url)
        flight.waiting += 1
        turn = asyncio.create_task(self._let_begin(flight, party))
        try:
            async with asyncio.timeout(min(deadline.remaining(), _LONGEST_WAIT_SECONDS)):
                return await asyncio.shield(flight.task)
        except TimeoutError:
            raise MediaOriginError(
                f"{shown(url)} was not fetched within the question's {deadline.seconds:g} s; "
                "use a faster server, or put the video into the queue with POST /v1/videos first"
            ) from None
        finally:
            turn.cancel()
            flight.waiting -= 1
            if not flight.waiting and not flight.task.done():
                self._flights.pop(url, None)
                flight.task.cancel()

    async def _let_begin(self, flight: Flight, party: str) -> None:
        """Begin it on a place of this user's, which is theirs as long as they wait: nobody waits behind the slow
        downloads of another who named the same address first."""
        user = party if party.partition(".")[2] else ""
        async with self._party_place(user, self.limits.per_user):
            if not flight.may_begin.done():
                flight.may_begin.set_result(party)
                await asyncio.wait([flight.task])

    def _take_off(self, url: str) -> Flight:
        host = _host(url)
        if self._of_host[host] >= self.limits.per_host + self.limits.waiting_per_host:
            raise MediaOriginError(
                f"{self._of_host[host]} downloads from {host!r} are under way or waiting; ask again in a minute"
            )
        loop = asyncio.get_running_loop()
        may_begin: asyncio.Future[str] = loop.create_future()
        flight = Flight(loop.create_task(self._video(url, host, may_begin)), may_begin)
        self._of_host[host] += 1
        self._flights[url] = flight
        flight.task.add_done_callback(lambda task: self._landed(url, host, task))
        return flight

    def _landed(self, url: str, host: str, task: "asyncio.Task[Video]") -> None:
        if not task.cancelled():
            task.exception()  # seen: whoever waited has it
        flight = self._flights.get(url)
        if flight and flight.task is task:
            del self._flights[url]
        self._of_host[host] -= 1
        if self._of_host[host] <= 0:
            del self._of_host[host]
            self._host_places.pop(host, None)

    async def _video(self, url: str, host: str, may_begin: "asyncio.Future[str]") -> Video:
        known = await asyncio.to_thread(self._known, url)
        if known and known.fresh(time.time()):
            return self._stored(known)
        place = self._host_places.setdefault(host, asyncio.Semaphore(self.limits.per_host))
        party = await may_begin
        caller = party.partition(".")[0]
        at_host = self._party_place(f"{party} {host}" if caller else "", self.limits.per_user_and_host)
        async with at_host, place, self._party_place(caller, self.limits.per_caller), self._places:
            try:
                async with asyncio.timeout(self.limits.max_seconds):
                    return await self._fetched(url, known, party)
            except TimeoutError:
                raise MediaOriginError(
                    f"{shown(url)}: the download took longer than the limit of {self.limits.max_seconds:g} s; "
                    "use a faster server or a smaller video"
                ) from None

    def _party_place(self, name: str, number: int) -> AbstractAsyncContextManager[None]:
        """One of a party's places; who is nobody in particular has no bound of their own."""
        if not name:
            return contextlib.nullcontext()
        place = self._party_places.get(name)
        if place is None:
            place = self._party_places[name] = asyncio.Semaphore(number)
        return place

    async def _fetched(self, url: str, known: KnownAddress | None, party: str) -> Video:
        address_of = partial(self._names.address, party=party)
        folder = DownloadFolder(self.folder, self._quota.grow)
        try:
            fetched = await download(url, folder, self.limits, known.validators if known else {}, address_of)
        except OSError as error:
            if not await asyncio.to_thread(self._quota.make_room, error):
                raise
            raise StorageFullError("the cache's disk is full; ask again, or have it enlarged") from None
        if fetched.video is None:
            if known is None:
                raise MediaOriginError(f"{shown(url)} answered 304 to a request without conditions; use another server")
            self._book.note(url, known.content_hash, known.validators)
            return self._stored(known)
        self._book.note(url, fetched.video.content_hash, fetched.headers)
        return fetched.video

    def _known(self, url: str) -> KnownAddress | None:
        """What is known of the address, if its video is still there."""
        known = self._book.find(url)
        return known if known and self._stored(known).path.is_file() else None

    def _stored(self, known: KnownAddress) -> Video:
        return Video(known.content_hash, self.folder / known.content_hash)


_LONGEST_WAIT_SECONDS = 7 * 86_400.0
"""Without a deadline; asyncio takes no infinite timeout."""


def _cancel(future: "Future[Video]") -> None:
    future.cancel()


def _host(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "")[:253]
    except ValueError:
        return ""

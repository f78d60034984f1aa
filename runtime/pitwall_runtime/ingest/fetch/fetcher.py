"""Fetches remote videos in a thread of its own: so many at once, so many per host, caller and user, each address once
for all who wait.

Downloads are not answers: a slow server takes a place here and none among the questions.
"""

import asyncio
import contextlib
import math
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from pitwall_runtime.deadline import Deadline, caller_of, user_of
from pitwall_runtime.errors import MediaAwayError, MediaOriginError, StorageFullError
from pitwall_runtime.ingest.fetch.addresses import AddressBook, KnownAddress
from pitwall_runtime.ingest.fetch.conditions import FileHere, file_here
from pitwall_runtime.ingest.fetch.download import DownloadFolder, DownloadLimits, download
from pitwall_runtime.ingest.fetch.names import NameLookups
from pitwall_runtime.ingest.fetch.origin import shown
from pitwall_runtime.ingest.fetch.parties import PartyPlaces
from pitwall_runtime.ingest.fetch.rechecks import AskedAddress, Rechecks
from pitwall_runtime.media import Video
from pitwall_runtime.stores.files.eviction import EntryKind, Quota
from pitwall_runtime.stores.files.lock import held
from pitwall_runtime.stores.files.owners import Draft


@dataclass(slots=True)
class Flight:
    """One download under way, how many wait for it, whether its video is not here already, and for which of those
    parties it may begin, once it may."""

    task: "asyncio.Task[Video]"
    host: str
    is_needed: asyncio.Event
    may_begin: "asyncio.Future[str]"
    waiting: int = 0
    counted: set[str] = field(default_factory=set)
    """Those among whose downloads it counts."""
    held: list[asyncio.Semaphore] = field(default_factory=list)
    """The places of who had it begin, which are given back when it ends."""


class Fetcher:
    """Downloads into `folder`. Its thread starts with the first download and ends with the process."""

    def __init__(self, folder: Path, limits: DownloadLimits, quota: Quota | None = None) -> None:
        self.folder, self.limits = folder, limits
        self._quota = quota or Quota(folder.parent)
        self._book = AddressBook(folder / EntryKind.ADDRESSES)
        self._flights: dict[str, Flight] = {}
        self._waiting: Counter[str] = Counter()
        self._places_of = PartyPlaces()
        self._host_places = PartyPlaces()
        self._places = asyncio.Semaphore(limits.at_once)
        self._names = NameLookups(limits.allowed_hosts)
        self._rechecks = Rechecks(self._fetched, self._flown)
        self._sweeper = ThreadPoolExecutor(1, thread_name_prefix="room")
        self._guard = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None

    def submit(self, url: str, deadline: Deadline, party: str = "", *, certain: bool = False) -> "Future[Video]":
        """The video at `url`, some time. Cancel the future to stop waiting; the last one to leave stops the download.
        `party` is a caller and, behind a dot, a user: the first who asks for an address has the download among theirs.
        `certain`: what is here does not do while its server does not say that it is the same.

        Fails with what `download` raises, or MediaOriginError if the deadline passes or this party waits for too many.
        """
        return asyncio.run_coroutine_threadsafe(self._wait(url, deadline, party, certain), self._running())

    def fetch(self, url: str, deadline: Deadline, party: str = "", *, certain: bool = False) -> Video:
        """`submit` for who has nothing else to do."""
        future = self.submit(url, deadline, party, certain=certain)
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

    async def _wait(self, url: str, deadline: Deadline, party: str, certain: bool) -> Video:
        if certain or url not in self._flights or url in self._rechecks.renewed:
            known = await asyncio.to_thread(self._known, url)
            if known and not known.fresh(time.time()):
                asked = AskedAddress(url, _host(url), party, certain)
                here = await self._rechecks.video(asked, known, self._stored(known), deadline)
                if here:
                    return self._used(here, party)
        return await self._flown(url, deadline, party)

    async def _flown(self, url: str, deadline: Deadline, party: str) -> Video:
        flight = self._flights.get(url) or self._take_off(url)
        flight.waiting += 1
        turn = asyncio.create_task(self._let_begin(flight, party))
        try:
            async with asyncio.timeout(min(deadline.remaining(), _LONGEST_WAIT_SECONDS)):
                await asyncio.wait([flight.task, turn], return_when=asyncio.FIRST_COMPLETED)
                if turn.done() and not flight.task.done():
                    turn.result()
                return self._used(await asyncio.shield(flight.task), party)
        except TimeoutError:
            raise MediaOriginError(
                f"{shown(url)} was not fetched within the question's {deadline.seconds:g} s; "
                "use a faster server, or put the video into the queue with POST /v1/videos first"
            ) from None
        finally:
            if not turn.cancel() and not turn.cancelled():
                turn.exception()  # seen, or of no matter: the video came meanwhile
            flight.waiting -= 1
            if not flight.waiting and not flight.task.done():
                self._flights.pop(url, None)
                flight.task.cancel()

    def _used(self, video: Video, party: str) -> Video:
        self._quota.used_by(party, video.content_hash)
        return video

    async def _let_begin(self, flight: Flight, party: str) -> None:
        """Begin it on places of this party's: nobody waits behind the slow downloads of another who named the same
        address first. That of the user is theirs as long as they wait. What is here already takes none."""
        await flight.is_needed.wait()
        if flight.may_begin.done():
            return
        held: list[asyncio.Semaphore] = []
        with self._counted(flight, party):
            async with self._places_of.place(user_of(party), self.limits.per_user):
                try:
                    for line in self._lines(party, flight.host):
                        await line.acquire()
                        held.append(line)
                    if not flight.may_begin.done():
                        flight.held, held = held, []
                        flight.may_begin.set_result(party)
                        await asyncio.wait([flight.task])
                finally:
                    for line in held:
                        line.release()

    def _lines(self, party: str, host: str) -> Iterator[asyncio.Semaphore]:
        """Where a party waits before it may wait for the host: in the host's line stands one download of each user, and
        of each caller fewer than there are places."""
        caller = caller_of(party)
        if caller:
            yield self._places_of.line(f"{party} {host}", self.limits.per_user_and_host)
            yield self._places_of.line(f"{caller} {host}", max(1, self.limits.per_host - 1))
            yield self._places_of.line(caller, self.limits.per_caller)

    @contextlib.contextmanager
    def _counted(self, flight: Flight, party: str) -> Iterator[None]:
        """One more that this party waits for. Raises MediaOriginError for who waits for too many, and nobody else."""
        bounds = {
            user_of(party): ("of this user", self.limits.waiting_per_user),
            caller_of(party): ("of this caller", self.limits.waiting_per_caller),
        }
        if not caller_of(party):
            bounds = {f" {flight.host}": (f"from {flight.host!r}", self.limits.waiting_per_host)}
        names = bounds.keys() - flight.counted - {""}
        for name in names:
            whose, most = bounds[name]
            if self._waiting[name] >= most:
                raise MediaOriginError(
                    f"{self._waiting[name]} downloads {whose} are under way or waiting, and {most} may be; "
                    "ask again in a minute"
                )
        self._waiting.update(names)
        flight.counted |= names
        try:
            yield
        finally:
            flight.counted -= names
            self._waiting.subtract(names)
            self._waiting += Counter()  # forgets who waits for nothing

    def _take_off(self, url: str) -> Flight:
        host, loop = _host(url), asyncio.get_running_loop()
        is_needed, may_begin = asyncio.Event(), loop.create_future()
        task = loop.create_task(self._video(url, host, is_needed, may_begin))
        self._flights[url] = flight = Flight(task, host, is_needed, may_begin)
        task.add_done_callback(lambda _: self._landed(url, flight))
        return flight

    def _landed(self, url: str, flight: Flight) -> None:
        for line in flight.held:
            line.release()
        if not flight.task.cancelled():
            flight.task.exception()  # seen: whoever waited has it
        if self._flights.get(url) is flight:
            del self._flights[url]

    async def _video(self, url: str, host: str, is_needed: asyncio.Event, may_begin: "asyncio.Future[str]") -> Video:
        known = await asyncio.to_thread(self._known, url)
        if known and known.fresh(time.time()):
            return self._stored(known)
        is_needed.set()
        party = await may_begin
        async with self._host_places.place(host, self.limits.per_host), self._places:
            try:
                async with asyncio.timeout(self.limits.max_seconds):
                    return await self._fetched(url, known, party)
            except TimeoutError:
                raise MediaAwayError(
                    f"{shown(url)}: the download took longer than the limit of {self.limits.max_seconds:g} s; "
                    "use a faster server or a smaller video"
                ) from None

    async def _fetched(
        self, url: str, known: KnownAddress | None, party: str, is_sent: asyncio.Event | None = None
    ) -> Video:
        address_of = partial(self._names.address, party=party)
        try:
            here = (
                await asyncio.to_thread(file_here, known.validators, self._stored(known).path) if known else FileHere()
            )
            with self._quota.bringing(party) as draft:
                folder = DownloadFolder(
                    self.folder, partial(self._grow, draft, is_sent), self._quota.limits.max_bytes or math.inf
                )
                fetched = await download(url, folder, self.limits, here, address_of)
        except OSError as error:
            if not await asyncio.to_thread(self._quota.make_room, error):
                raise
            raise StorageFullError("the cache's disk is full or read-only; ask again, or have it enlarged") from None
        if fetched.video is None:
            if known is None:
                raise MediaOriginError(f"{shown(url)} answered 304 to a request without conditions; use another server")
            self._book.note(url, known.content_hash, known.validators)
            return self._stored(known)
        self._book.note(url, fetched.video.content_hash, fetched.headers)
        return fetched.video

    async def _grow(self, draft: Draft, is_sent: asyncio.Event | None, count: int) -> None:
        """A sweep looks at every file of the cache: here everybody's remote videos would wait for it."""
        if is_sent:
            is_sent.set()
        if ahead := self._quota.announced(count, draft):
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._sweeper, self._quota.find_room, ahead, draft)

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

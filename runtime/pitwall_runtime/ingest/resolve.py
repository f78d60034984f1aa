"""Brings the video behind a question's `video_url` to the disk, whatever its scheme."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from pitwall_runtime.deadline import Deadline, user_of
from pitwall_runtime.errors import MediaRefusedError, RefusedError, UnavailableError
from pitwall_runtime.ingest.fetch.download import DownloadLimits
from pitwall_runtime.ingest.fetch.fetcher import Fetcher
from pitwall_runtime.ingest.fetch.origin import shown
from pitwall_runtime.ingest.fetch.parties import PartyPlaces
from pitwall_runtime.ingest.files import open_file, open_video, resolve_file, with_subtitles
from pitwall_runtime.ingest.subtitles import captions_of, remembered
from pitwall_runtime.media import Caption, Video
from pitwall_runtime.stores.files.eviction import Quota

_READERS = 4
"""Local files digested at once."""
_SUBTITLES_AT_ONCE = 2
"""Files read at once that questions name, each of another user."""

OpenedFile = Callable[[str, Sequence[Path], int], Video]
"""What opens an address of a file: address, roots and limit of bytes in."""


@dataclass(slots=True)
class Resolver:
    """Turns addresses into videos. A downloaded address counts as known for five minutes, then its server is asked."""

    media_roots: tuple[Path, ...]
    downloads: Path
    limits: DownloadLimits = field(default_factory=DownloadLimits)
    quota: Quota | None = None
    _quota: Quota = field(init=False)
    _fetcher: Fetcher = field(init=False)
    _readers: ThreadPoolExecutor = field(init=False)
    _subtitle_places: asyncio.Semaphore = field(init=False)
    _subtitles_of: PartyPlaces = field(init=False, default_factory=PartyPlaces)

    def __post_init__(self) -> None:
        self._quota = self.quota or Quota(self.downloads.parent)
        self._fetcher = Fetcher(self.downloads, self.limits, self._quota)
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="ingest")
        self._subtitle_places = asyncio.Semaphore(_SUBTITLES_AT_ONCE)

    def is_remote(self, url: str) -> bool:
        """Whether another server has a say in what comes of this address."""
        try:
            return self._is_remote(url)
        except MediaRefusedError:
            return False

    def submit(self, url: str, deadline: Deadline, party: str = "") -> "Future[Video]":
        """The video at `url`, some time, for this party; what goes wrong is the future's exception, a RefusedError or
        OSError."""
        return self._submit(url, deadline, party, resolve_file)

    def _submit(self, url: str, deadline: Deadline, party: str, opened: OpenedFile) -> "Future[Video]":
        try:
            remote = self._is_remote(url)
        except MediaRefusedError as refusal:
            failed: Future[Video] = Future()
            failed.set_exception(refusal)
            return failed
        if remote:
            return self._fetcher.submit(url, deadline, party)
        return self._readers.submit(self._opened, opened, url, party)

    def _opened(self, opened: OpenedFile, url: str, party: str) -> Video:
        video = opened(url, self.media_roots, self.limits.max_bytes)
        self._quota.used_by(party, video.content_hash)
        return video

    def resolve(self, url: str, deadline: Deadline | None = None, party: str = "", *, certain: bool = False) -> Video:
        """`submit` for who has nothing else to do.

        `certain`: as its server has it; raises MediaAwayError where that does not say so, though a copy is here.
        """
        if not self._is_remote(url):
            return self._opened(resolve_file, url, party)
        return self._fetcher.fetch(url, deadline or Deadline(), party, certain=certain)

    def local(self, path: Path) -> Video:
        """The video at a path that the asker typed on this machine."""
        return with_subtitles(open_video(path.resolve(), self.limits.max_bytes), self.media_roots)

    async def subtitles(self, url: str, deadline: Deadline, party: str = "") -> tuple[Caption, ...]:
        """The captions of the file at `url`, fetched as a video is. Raises a RefusedError that names the field."""
        try:
            file = await asyncio.wrap_future(self._submit(url, deadline, party, open_file))
            with self.keeping(file) as kept:
                if not kept:
                    raise UnavailableError("they are evicted as soon as they are fetched; have the cache enlarged")
                return await self._captions(file.path, deadline, party)
        except RefusedError as refusal:
            raise type(refusal)(f"video_url.subtitles_url: {refusal.message}") from None

    async def _captions(self, path: Path, deadline: Deadline, party: str) -> tuple[Caption, ...]:
        """Users take turns: files that are slow to read hold up none but their own sender."""
        known = remembered(path)
        if known is not None:
            return known
        async with self._subtitles_of.place(user_of(party), 1), self._subtitle_places:
            return await asyncio.to_thread(captions_of, path, deadline)

    def keeping(self, video: Video) -> AbstractContextManager[bool]:
        """Keep the video's file from eviction while the `with` lasts; False if it has been evicted already."""
        return self._fetcher.keeping(video)

    def reject(self, video: Video) -> None:
        """It cannot be decoded: if it was downloaded, it does not stay."""
        self._fetcher.forget(video)

    def _is_remote(self, url: str) -> bool:
        try:
            scheme = urlsplit(url).scheme
        except ValueError:
            raise MediaRefusedError(
                f"{shown(url)} is not an address; write file:///path or https://host/path"
            ) from None
        match scheme:
            case "file":
                return False
            case "http" | "https":
                return True
            case _:
                raise MediaRefusedError(f"scheme {scheme!r} of {shown(url)} is unknown; use file, http or https")

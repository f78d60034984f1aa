"""Brings the video behind a question's `video_url` to the disk, whatever its scheme."""

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from pitwall_runtime.errors import MediaRefusedError
from pitwall_runtime.ingest.download import DownloadLimits, download
from pitwall_runtime.ingest.files import open_video, resolve_file
from pitwall_runtime.media import Video

_FRESH_SECONDS = 300.0
_REMEMBERED = 1024


@dataclass(slots=True)
class Resolver:
    """Turns addresses into videos. A downloaded address counts as known for five minutes."""

    media_roots: tuple[Path, ...]
    downloads: Path
    limits: DownloadLimits = field(default_factory=DownloadLimits)
    _known: OrderedDict[str, tuple[float, Video]] = field(default_factory=OrderedDict)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def resolve(self, url: str) -> Video:
        """The video at `url`. Raises MediaRefusedError, MediaMissingError, MediaTooLargeError or MediaBrokenError."""
        try:
            scheme = urlsplit(url).scheme
        except ValueError:
            raise MediaRefusedError(
                f"{url[:200]!r} is not an address; write file:///path or https://host/path"
            ) from None
        match scheme:
            case "file":
                return resolve_file(url, self.media_roots, self.limits.max_bytes)
            case "http" | "https":
                return self._fetched(url)
            case _:
                raise MediaRefusedError(f"scheme {scheme!r} of {url[:200]!r} is unknown; use file, http or https")

    def local(self, path: Path) -> Video:
        """The video at a path that the asker typed on this machine."""
        return open_video(path.resolve(), self.limits.max_bytes)

    def _fetched(self, url: str) -> Video:
        with self._guard:
            known = self._known.get(url)
        if known and time.monotonic() - known[0] < _FRESH_SECONDS and known[1].path.exists():
            return known[1]
        video = download(url, self.downloads, self.limits)
        with self._guard:
            self._known[url] = (time.monotonic(), video)
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return video

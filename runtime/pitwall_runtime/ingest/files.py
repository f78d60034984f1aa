"""Opens file:// videos and the subtitles beside them, only below the allowed media roots."""

import hashlib
import stat
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from pitwall_runtime.errors import (
    MediaMissingError,
    MediaRefusedError,
    MediaTooLargeError,
    RefusedError,
)
from pitwall_runtime.ingest.fetch.origin import HEAD_BYTES, shown, what_else
from pitwall_runtime.ingest.subtitles import captions_of
from pitwall_runtime.media import Video

_CHUNK_BYTES = 1 << 20
_SUBTITLES: Final = (".srt", ".vtt", ".ass")


def resolve_file(url: str, roots: Sequence[Path], max_bytes: int) -> Video:
    """The video behind a file:// URL, with the subtitles beside it."""
    return with_subtitles(open_file(url, roots, max_bytes), roots)


def open_file(url: str, roots: Sequence[Path], max_bytes: int) -> Video:
    """The file behind a file:// URL. Links and `..` are followed first, then the result must lie under a root."""
    parts = urlsplit(url)
    if parts.netloc.lower() not in ("", "localhost"):
        raise MediaRefusedError(
            f"{shown(url)} names the host {(parts.hostname or '')!r}; a file address has three slashes: file:///path"
        )
    path = Path(unquote(parts.path))
    if "\0" in str(path) or not path.is_absolute():
        raise MediaRefusedError(f"{url!r} is not an absolute file address; write file:///absolute/path")
    real = _real(path)
    if not any(real.is_relative_to(root.resolve()) for root in roots):
        raise MediaRefusedError(
            f"{url!r} lies outside the media roots, the folders that this service was given with --media-root; put the "
            "video into one of them, or send a web address"
        )
    return open_video(real, max_bytes, shown(url))


def with_subtitles(video: Video, roots: Sequence[Path]) -> Video:
    """The video with the captions of the file that lies beside it under the same name: film.srt beside film.mp4.

    One that cannot be read, or that leads out of the roots, counts as none: nobody asked for it.
    """
    for suffix in _SUBTITLES:
        path = video.path.with_suffix(suffix)
        with suppress(RefusedError, OSError):
            real = _real(path, strict=True)
            if any(real.is_relative_to(root.resolve()) for root in roots):
                return replace(video, subtitles=captions_of(real))
    return video


def _real(path: Path, *, strict: bool = False) -> Path:
    """Where the path leads. Raises MediaMissingError for links that lead nowhere, and OSError if it is `strict`."""
    try:
        return path.resolve(strict=strict)
    except RuntimeError:  # a circle of links, before Python 3.13
        raise MediaMissingError(f"no video at {str(path)!r}; check the name") from None


def open_video(path: Path, max_bytes: int, name: str = "") -> Video:
    """The video at a trusted path: exists, is a regular file, fits the limit, does not begin like something else.
    `name` is what errors call it: who asked may not learn where a link leads."""
    name = name or repr(str(path))
    try:
        status = path.stat()
    except OSError:
        raise MediaMissingError(f"no video at {name}; check the name") from None
    if not stat.S_ISREG(status.st_mode):
        raise MediaRefusedError(f"{name} is not a regular file; give the address of a video file")
    if status.st_size > max_bytes:
        raise MediaTooLargeError(f"the video has {status.st_size} bytes; the limit is {max_bytes}, send a smaller one")
    try:
        digest, head = _digest(path, status.st_ino, status.st_size, status.st_mtime_ns)
    except OSError:
        raise MediaMissingError(f"the video at {name} cannot be read; check permissions") from None
    refusal = what_else(head)
    if refusal:
        raise refusal
    return Video(digest, path)


@lru_cache(maxsize=4096)
def _digest(path: Path, inode: int, size: int, mtime_ns: int) -> tuple[str, bytes]:
    """SHA-256 and beginning of the file; remembered as long as inode, size and modification time stay the same."""
    del inode, size, mtime_ns
    digest, head = hashlib.sha256(), b""
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            head = head or chunk[:HEAD_BYTES]
            digest.update(chunk)
    return digest.hexdigest(), head

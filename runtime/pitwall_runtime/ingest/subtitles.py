"""What files of subtitles say, remembered as long as they stay the same and there is room."""

import sys
import threading
from collections import OrderedDict
from hashlib import sha256
from pathlib import Path
from typing import Final

from pitwall_runtime.deadline import Deadline
from pitwall_runtime.errors import BadSubtitlesError
from pitwall_runtime.media import Caption
from pitwall_runtime.stages.decode.subtitles import read_subtitles

MOST_SUBTITLE_BYTES: Final = 4 << 20
"""Those of a long film have a tenth of a megabyte."""

MOST_REMEMBERED_BYTES: Final = 32 << 20
"""Of memory, for the captions of all files together."""

FileState = tuple[str, int, int, int]
"""Path, inode, size and modification time."""


def captions_of(path: Path, deadline: Deadline | None = None) -> tuple[Caption, ...]:
    """What a file of subtitles says. Raises BadSubtitlesError, TooLateError, or OSError if it has gone."""
    known = remembered(path)
    if known is None:
        state = _state(path)
        known = read_subtitles(path, deadline or Deadline())
        _REMEMBERED.add(state, known)
    return known


def remembered(path: Path) -> tuple[Caption, ...] | None:
    """What is known of a file without reading it. Raises BadSubtitlesError, or OSError if it has gone."""
    return _REMEMBERED.find(_state(path))


def digest_of(captions: tuple[Caption, ...]) -> str:
    """What tells these captions from others."""
    return _REMEMBERED.digest(captions) or _digest(captions)


def _digest(captions: tuple[Caption, ...]) -> str:
    return sha256(repr(captions).encode()).hexdigest()[:16]


def _state(path: Path) -> FileState:
    status = path.stat()
    if status.st_size > MOST_SUBTITLE_BYTES:
        raise BadSubtitlesError(
            f"the subtitles have {status.st_size} bytes; the limit is {MOST_SUBTITLE_BYTES}, send a smaller file"
        )
    return str(path), status.st_ino, status.st_size, status.st_mtime_ns


class CaptionMemory:
    """So many bytes of captions, those that were asked for last, with their digests: to make one anew for each question
    would take so long that others wait."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes, self._bytes = most_bytes, 0
        self._files: OrderedDict[FileState, tuple[tuple[Caption, ...], int]] = OrderedDict()
        self._digests: dict[int, str] = {}
        self._guard = threading.Lock()

    def find(self, state: FileState) -> tuple[Caption, ...] | None:
        """What a file in this state says, if it is remembered."""
        with self._guard:
            if state not in self._files:
                return None
            self._files.move_to_end(state)
            return self._files[state][0]

    def add(self, state: FileState, captions: tuple[Caption, ...]) -> None:
        """Remember it, and forget what was not asked for longest."""
        size, digest = size_of(captions) + sys.getsizeof(state) + sys.getsizeof(state[0]), _digest(captions)
        with self._guard:
            if state in self._files or size > self._most_bytes:
                return
            self._files[state] = captions, size
            self._digests[id(captions)] = digest
            self._bytes += size
            while self._bytes > self._most_bytes:
                _, (forgotten, freed) = self._files.popitem(last=False)
                self._digests.pop(id(forgotten), None)
                self._bytes -= freed

    def digest(self, captions: tuple[Caption, ...]) -> str | None:
        """The digest of these very captions, if they are remembered."""
        with self._guard:
            return self._digests.get(id(captions))


def size_of(captions: tuple[Caption, ...]) -> int:
    """Bytes of memory that they take."""
    each = (sum(map(sys.getsizeof, (one, one.start_seconds, one.end_seconds, one.text))) for one in captions)
    return sys.getsizeof(captions) + sum(each)


_REMEMBERED: Final = CaptionMemory(MOST_REMEMBERED_BYTES)

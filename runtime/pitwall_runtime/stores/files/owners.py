"""Whose the videos of a cache folder are, and who of them holds more than their part of it."""

import fcntl
import os
import time
import uuid
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from pitwall_runtime.deadline import caller_of, user_of
from pitwall_runtime.errors import StorageFullError

Entry = TypeVar("Entry")

FOLDER: Final = "owners"
"""In it a link for each video, which takes no room of the disk, leads nowhere, and is never followed: its target is the
party."""

_EVERYBODYS: Final = "."
_KEPT_SECONDS: Final = 3600.0
"""Whose a video is may be known before anything of it is cached."""
_LONGEST: Final = 64


class Owners:
    """Of each video who alone asked about it: one user, several of one caller, or several callers, which makes it
    nobody's. So nobody is charged for what others use too, and nobody makes others' videos theirs; what several callers
    asked about has a part of its own.

    The folder alone knows it, since several processes may share it."""

    def __init__(self, root: Path) -> None:
        self._folder = root / FOLDER

    def note(self, video_hash: str, party: str) -> None:
        """This party asked about the video. Who is nobody in particular changes nothing."""
        if not party or self._with(video_hash, party) == self.of(video_hash):
            return
        with suppress(OSError, ValueError):  # then it is nobody's
            self._folder.mkdir(parents=True, exist_ok=True)
            draft = self._folder / f".part-{uuid.uuid4().hex}"
            with _alone_in(self._folder):  # whoever read it before another wrote would write over that
                draft.symlink_to(self._with(video_hash, party))
                draft.replace(self._folder / video_hash)

    def _with(self, video_hash: str, party: str) -> str:
        before = self.of(video_hash)
        return _together(before, party) if before else party[:_LONGEST]

    def of(self, video_hash: str) -> str:
        """The party; empty where none is known."""
        if video_hash:
            with suppress(OSError, ValueError):
                return os.readlink(self._folder / video_hash)
        return ""

    def keep(self, video_hashes: Iterable[str], now: float | None = None) -> None:
        """Forget whose all others are."""
        kept, now = set(video_hashes), time.time() if now is None else now
        with suppress(OSError):
            for path in tuple(os.scandir(self._folder)):
                if path.name not in kept:
                    with suppress(OSError):
                        if now - path.stat(follow_symlinks=False).st_mtime > _KEPT_SECONDS:
                            os.unlink(path)


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _together(before: str, party: str) -> str:
    if before == party:
        return before
    return f"{caller_of(before)}." if caller_of(before) == caller_of(party) else _EVERYBODYS


@dataclass(slots=True, eq=False)
class Draft:
    """What a party brings and is not there yet."""

    party: str
    bytes: int = 0
    announced: int = 0
    held_up: str = ""
    """Whose part is used up, if that keeps it from having room."""

    def no_room(self, used: int, limit: int) -> StorageFullError:
        """What whoever brings it is told."""
        if self.held_up:
            return StorageFullError(
                f"the cache is full, and this {self.held_up}'s videos take their part of it; ask again when the "
                "questions about them are answered, or have the operator enlarge the cache"
            )
        return StorageFullError(
            f"the cache has no room: {used} bytes are in use, and its limit is {limit}; "
            "ask again later, or have the operator enlarge it"
        )


@dataclass(frozen=True, slots=True)
class Bound:
    """How much of a full cache one of its kind may hold; `whose` finds it behind a party, empty if there is none."""

    kind: str
    whose: Callable[[str], str]
    part: float


def _shared(party: str) -> str:
    return party if party == _EVERYBODYS else ""


BOUNDS: Final = (
    Bound("user", user_of, 1 / 8),
    Bound("caller", caller_of, 1 / 2),
    Bound("several callers", _shared, 1 / 2),  # else who is two callers at once has no bound
)
"""In this order room is made at the expense of who holds more; only then at everybody's."""


class Holdings:
    """What each holds, as `whose` of a bound names them, of so many bytes in all; `held` are parties and bytes."""

    def __init__(self, bound: Bound, whole: int, held: Iterable[tuple[str, int]]) -> None:
        self._whose, self._most = bound.whose, whole * bound.part
        self._held = Counter[str]()
        for party, count in held:
            self.add(party, count)

    def add(self, party: str, count: int) -> None:
        """So much more, or less."""
        if name := self._whose(party):
            self._held[name] += count

    def is_over(self, party: str, beside: int) -> bool:
        """Whether they hold more than their part, and more than this."""
        return self._held[self._whose(party)] > max(self._most, beside)

    def of_who_has_most(self, oldest_first: Iterable[tuple[str, Entry]]) -> Iterator[Entry]:
        """What shall go, for as long as anybody holds more than their part; who takes it tells by `add`."""
        theirs: dict[str, deque[Entry]] = {}
        for party, entry in oldest_first:
            if self.is_over(party, 0):
                theirs.setdefault(self._whose(party), deque()).append(entry)
        while theirs:
            name = max(theirs, key=self._held.__getitem__)
            if self._held[name] <= self._most:
                return
            yield theirs[name].popleft()
            if not theirs[name]:
                del theirs[name]

"""Finds what lies in a cache folder while others change it, and deletes what processes left there that died."""

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from pitwall_runtime.stores.files.lock import unused

_ABANDONED_SECONDS: Final = 3600.0
"""Drafts of dead processes, and locks that nobody holds, are deleted after this time."""


def below(folder: Path, depth: int) -> Iterator[Path]:
    """What lies so many folders down and is not hidden. Unlike `Path.glob`, it bears folders that vanish meanwhile."""
    try:
        names = [name for name in os.listdir(folder) if not name.startswith(".")]
    except OSError:
        return
    for name in names:
        if depth == 1:
            yield folder / name
        else:
            yield from below(folder / name, depth - 1)


def delete_abandoned(root: Path, now: float) -> None:
    """Delete what dead processes left: drafts, half downloads, half evictions, and locks that nobody holds."""
    for parent, folders, files in os.walk(root):
        for name in (*folders, *files):
            if name.startswith((".draft-", ".part-", ".evicted-")):
                with suppress(OSError):
                    _delete_if_old(Path(parent, name), now)
    for path in below(root / "locks", 1):
        with suppress(OSError):
            if now - path.stat().st_mtime > _ABANDONED_SECONDS:
                _unlink_unused(path)


def _delete_if_old(path: Path, now: float) -> None:
    if now - path.stat().st_mtime > _ABANDONED_SECONDS and not _written_lately(path, now):
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def _unlink_unused(lock: Path) -> None:
    with unused(lock) as alone:
        if alone:
            lock.unlink()


def _written_lately(path: Path, now: float) -> bool:
    return path.is_dir() and any(now - file.stat().st_mtime <= _ABANDONED_SECONDS for file in path.rglob("*"))

"""Creates a folder wholly or not at all, whoever else makes it at the same time."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def drafted(folder: Path) -> Iterator[Path]:
    """A temporary folder to fill, renamed into place at the end; if another process was first, its folder stands.

    Raises what the filling raises, or OSError where neither folder can stand; nothing is left behind then.
    """
    draft = _draft_beside(folder)
    try:
        yield draft
        try:
            draft.rename(folder)
        except OSError:
            if not folder.is_dir():
                raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _draft_beside(folder: Path) -> Path:
    while True:  # an eviction may remove the parent, which is empty, after it was made or while it is looked at
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            return Path(tempfile.mkdtemp(prefix=".draft-", dir=folder.parent))
        except FileNotFoundError:
            continue
        except FileExistsError:
            if folder.parent.is_file():
                raise

"""Keeps question vectors on disk for all variants' processes, so that a new variant does not begin colder than the old.

Files are named by the question's hash; the text itself is not stored. They have a small part of the cache's quota.
"""

import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pitwall_crds.host.files import whole_file
from pitwall_runtime.errors import StorageFullError
from pitwall_runtime.media import Floats

LIMIT = 20_000
"""Questions kept where no quota keeps them fewer; at the next start the oldest half goes."""

_FILE_BYTES = 4096
"""A disk's block: few vectors take more."""


@dataclass(frozen=True, slots=True)
class QuestionStore:
    """Unit vectors of questions under one encoder. `grow` is called before bytes are written, and raises
    StorageFullError if they may not be."""

    folder: Path
    grow: Callable[[int], None] = lambda _: None

    @classmethod
    def opened(cls, folder: Path, grow: Callable[[int], None] = lambda _: None) -> "QuestionStore":
        """The store, made if it is not there yet, and pruned."""
        folder.mkdir(parents=True, exist_ok=True)
        files = list(folder.glob("*.npy"))
        if len(files) > LIMIT:
            for old in sorted(files, key=_age)[: LIMIT // 2]:
                old.unlink(missing_ok=True)
        return cls(folder, grow)

    def _path(self, question: str) -> Path:
        return self.folder / f"{hashlib.sha256(question.encode()).hexdigest()[:32]}.npy"

    def get(self, question: str) -> Floats | None:
        """The vector that some process has stored, or None; what cannot be read, or is not finite, counts as none."""
        path = self._path(question)
        try:
            vector: Floats = np.load(path, allow_pickle=False)
            if not np.isfinite(vector).all():
                return None
        except (OSError, TypeError, ValueError, EOFError):
            return None
        with suppress(OSError):
            os.utime(path)  # what was used longest ago is evicted first
        return vector

    def put(self, question: str, vector: Floats) -> None:
        """Store a vector whole or not at all; a full disk costs speed later, not the answer now."""
        with suppress(OSError, StorageFullError):
            self.grow(_FILE_BYTES)
            with whole_file(self._path(question), mode=0o600, durable=False) as output:
                np.save(output, vector, allow_pickle=False)


def _age(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0

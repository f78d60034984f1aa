"""Keeps question vectors on disk for all variants' processes, so that a new variant does not begin colder than the old.

Files are named by the question's hash; the text itself is not stored.
"""

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pitwall_crds.host.files import whole_file
from pitwall_runtime.media import Floats

LIMIT = 20_000
"""Questions kept; at the next start the oldest half goes."""


@dataclass(frozen=True, slots=True)
class QuestionStore:
    """Unit vectors of questions under one encoder."""

    folder: Path

    @classmethod
    def opened(cls, folder: Path) -> "QuestionStore":
        """The store, made if it is not there yet, and pruned."""
        folder.mkdir(parents=True, exist_ok=True)
        files = list(folder.glob("*.npy"))
        if len(files) > LIMIT:
            for old in sorted(files, key=_age)[: LIMIT // 2]:
                old.unlink(missing_ok=True)
        return cls(folder)

    def _path(self, question: str) -> Path:
        return self.folder / f"{hashlib.sha256(question.encode()).hexdigest()[:32]}.npy"

    def get(self, question: str) -> Floats | None:
        """The vector that some process has stored, or None; an unreadable file counts as none."""
        try:
            vector: Floats = np.load(self._path(question), allow_pickle=False)
        except (OSError, ValueError, EOFError):
            return None
        return vector

    def put(self, question: str, vector: Floats) -> None:
        """Store a vector whole or not at all; a full disk costs speed later, not the answer now."""
        with suppress(OSError), whole_file(self._path(question), mode=0o600, durable=False) as output:
            np.save(output, vector, allow_pickle=False)


def _age(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0

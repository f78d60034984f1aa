"""Writes files that are whole at every moment: written beside, then renamed."""

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any


@contextmanager
def drafted_file(folder: Path, *, prefix: str = ".draft-") -> Iterator[IO[bytes]]:
    """A file to fill and to rename, for its owner alone; it is gone at the end if it was not renamed."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=folder, prefix=prefix, delete=False) as draft:
        try:
            yield draft
        finally:
            Path(draft.name).unlink(missing_ok=True)


@contextmanager
def whole_file(path: Path, *, mode: int = 0o644, durable: bool = True) -> Iterator[IO[bytes]]:
    """A file to fill that takes the path's place in one step, or leaves all as it was where the filling fails.

    A durable one survives a power cut too; what can be computed again need not wait for the disk.
    """
    with drafted_file(path.parent, prefix=f".{path.name}.") as draft:
        yield draft
        draft.flush()
        if durable:
            os.fsync(draft.fileno())
        os.chmod(draft.name, mode)
        os.replace(draft.name, path)


def write_whole(path: Path, text: str, *, mode: int = 0o644) -> None:
    """Replace a file's content in one step; readers see the old or the new text, never a part."""
    with whole_file(path, mode=mode) as output:
        output.write(text.encode())


def write_json(path: Path, data: Any, *, mode: int = 0o644) -> None:
    """`write_whole` of JSON."""
    write_whole(path, json.dumps(data, indent=1), mode=mode)


def read_json(path: Path, default: Any) -> Any:
    """A JSON file's content, or the default where there is none yet."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return default

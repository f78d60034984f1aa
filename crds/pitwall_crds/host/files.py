"""Writes files that are whole at every moment: written beside, then renamed; and reads them, whatever lies there."""

import json
import os
import secrets
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Final

from pitwall_crds.errors import UnreadableFileError

MOST_BYTES: Final = 16 * 2**20
"""Of a file that is read whole: many times what the largest of ours has."""


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


def open_regular(path: Path) -> IO[bytes]:
    """A file to read. What else may lie in its place is not opened, since a pipe or a device may keep its reader for
    ever. Raises FileNotFoundError or UnreadableFileError."""
    try:
        _check_regular(path, path.stat())
        opened = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise
    except UnreadableFileError:
        raise
    except OSError as error:
        raise UnreadableFileError(f"{path} cannot be read ({error.strerror})") from None
    return _regular(path, opened, "rb")


def open_to_append(path: Path) -> IO[bytes]:
    """A file to add to; it and its folder are made where there are none. What else may lie in its place is not opened.
    Raises UnreadableFileError, or OSError where the file cannot be made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileNotFoundError):
        _check_regular(path, path.stat())
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC
    return _regular(path, os.open(path, flags, 0o666), "ab")


def append_or_replace(path: Path) -> IO[bytes]:
    """`open_to_append` of what is only a log: whatever else lies in its place is moved aside."""
    try:
        return open_to_append(path)
    except UnreadableFileError:
        move_aside(path)
        return open_to_append(path)


def _regular(path: Path, opened: int, mode: str) -> IO[bytes]:
    file = os.fdopen(opened, mode)
    try:
        _check_regular(path, os.fstat(opened))  # another one may have been put there meanwhile
    except UnreadableFileError:
        file.close()
        raise
    return file


def _check_regular(path: Path, found: os.stat_result) -> None:
    if stat.S_ISDIR(found.st_mode):
        raise UnreadableFileError(f"{path} is a folder where a file belongs")
    if not stat.S_ISREG(found.st_mode):
        raise UnreadableFileError(f"{path} is a pipe, a socket or a device where a file belongs")


def read_text(path: Path, *, most_bytes: int = MOST_BYTES) -> str:
    """A text file's content. Raises FileNotFoundError or UnreadableFileError."""
    with open_regular(path) as file:
        content = file.read(most_bytes + 1)
    if len(content) > most_bytes:
        raise UnreadableFileError(f"{path} has more than the {most_bytes} bytes that are read")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise UnreadableFileError(f"{path} is no UTF-8 text (byte {error.start})") from None


def read_json(path: Path, default: Any) -> Any:
    """A JSON file's content, or the default where there is none yet. Raises UnreadableFileError."""
    try:
        return json.loads(read_text(path))
    except FileNotFoundError:
        return default
    except UnreadableFileError:
        raise
    except ValueError as error:  # also a number of thousands of digits
        raise UnreadableFileError(f"{path} is no JSON ({error})") from None
    except RecursionError:
        raise UnreadableFileError(f"{path} is JSON that is nested too deeply") from None


def move_aside(path: Path) -> None:
    """Have nothing stand in a file's place: what is no file keeps its content, under a name of its own beside it."""
    if path.is_dir() and not path.is_symlink():
        path.rename(path.with_name(f".{path.name}.{secrets.token_hex(4)}"))
    else:
        path.unlink(missing_ok=True)

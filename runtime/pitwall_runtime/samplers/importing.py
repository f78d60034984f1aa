"""Imports somebody's module so that whatever it does wrong becomes a reason with the line where it happened."""

import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


class ImportFailedError(Exception):
    """What the module did when it was imported, at which of its lines, and what would help."""


def imported(load: Callable[[], T], module: str) -> T:
    """What `load` gets of the module. Raises ImportFailedError whatever happens, an end of the process included."""
    try:
        return load()
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        remedy = "install what it needs into the image" if isinstance(error, ImportError) else "mend its module"
        where = _own_line(error, module.partition(".")[0])
        reason = f"{type(error).__name__}: {error}; {remedy}"
        raise ImportFailedError(f"{reason}; it was at {where}" if where else reason) from error


def _own_line(error: BaseException, package: str) -> str:
    """The last line of the package in the error's stack; empty if there is none."""
    own = [frame for frame in traceback.extract_tb(error.__traceback__) if package in _names(Path(frame.filename))]
    if not own:
        return ""
    place = Path(own[-1].filename)
    return f"{place.parent.name}/{place.name}:{own[-1].lineno}: `{own[-1].line}`"


def _names(path: Path) -> set[str]:
    return {path.stem, *path.parent.parts}

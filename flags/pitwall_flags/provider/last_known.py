"""A flag configuration comes in and survives a restart on disk; the last known one comes out."""

import logging
import os
import tempfile
from contextlib import suppress
from pathlib import Path

from pitwall_flags.flag.flagset import FlagSet

log = logging.getLogger(__name__)


def load(path: Path) -> tuple[str, FlagSet] | None:
    """The last known configuration; None when there is none or it cannot be read (the reason is logged)."""
    try:
        text = path.read_text("utf-8")
        return text, FlagSet.parse(text)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        log.warning("the last known flags in %s cannot be used (%s); waiting for the flag service", path, error)
        return None


def save(path: Path, text: str) -> bool:
    """Replace the file in one step, so that a crash leaves the old or the new; False (and a log line) when it fails."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(path)
        except BaseException:
            with suppress(OSError):
                Path(temporary).unlink()
            raise
    except (OSError, UnicodeError) as error:
        log.warning(
            "cannot keep the flags in %s (%s); a restart while the service is away would forget them", path, error
        )
        return False
    return True

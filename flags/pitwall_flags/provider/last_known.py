"""Keeps the last known flag configuration on disk, so that a gateway can start without the flag service."""

import logging
from pathlib import Path

from pitwall_crds.host import files
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
        files.write_whole(path, text, mode=0o600)
    except (OSError, UnicodeError) as error:
        log.warning(
            "cannot keep the flags in %s (%s); a restart while the service is away would forget them", path, error
        )
        return False
    return True

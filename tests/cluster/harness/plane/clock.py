"""Sets the wall clock of one process while it runs, by libfaketime, which Debian packages."""

from pathlib import Path

import pytest

PLACES = ("/usr/lib/*/faketime", "/usr/lib/faketime", "/usr/local/lib/faketime")
LIBRARY = "libfaketimeMT.so.1"
BEFORE_NOW = "-2h"


def library() -> Path | None:
    """Where the library is; None where it is not installed."""
    folders = (folder for place in PLACES for folder in Path("/").glob(place.lstrip("/")))
    return next((folder / LIBRARY for folder in folders if (folder / LIBRARY).exists()), None)


def backdated() -> dict[str, str]:
    """What a program's environment needs so that a certificate it makes was good hours ago already; without the
    library nothing, since no clock is set back then."""
    found = library()
    return {} if found is None else {"LD_PRELOAD": str(found), "FAKETIME": BEFORE_NOW}


class FakeTimeClock:
    """Ahead of the machine's by so many seconds; the monotonic clock goes on as it is."""

    def __init__(self, file: Path) -> None:
        found = library()
        if found is None:
            pytest.skip("libfaketime is not installed; as root, scripts/servers.sh installs it")
        self._file = file
        self.environment = {
            "LD_PRELOAD": str(found),
            "FAKETIME_TIMESTAMP_FILE": str(file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }
        self.jump(0)

    def jump(self, seconds: int) -> None:
        """The process sees it the next time it asks."""
        unfinished = self._file.with_suffix(".unfinished")
        unfinished.write_text(f"{seconds:+d}\n")
        unfinished.rename(self._file)

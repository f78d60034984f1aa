"""Says durations and numbers as people do: about 3 days, about 10 million.

Pure: no clock, chance or I/O.
"""

from math import ceil, floor, log10
from typing import Final

MINUTE: Final = 60.0
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
UNITS: Final = (
    (2 * 365 * DAY, 365 * DAY, "years"),
    (60 * DAY, 30 * DAY, "months"),
    (2 * DAY, DAY, "days"),
    (2 * HOUR, HOUR, "hours"),
    (2 * MINUTE, MINUTE, "minutes"),
)
"""From so many seconds on, in which unit."""


def duration(seconds: float) -> str:
    """`about 3 days`; `at once` for nothing."""
    for least, unit, name in UNITS:
        if seconds >= least:
            return f"about {_rounded(seconds / unit)} {name}"
    return f"about {max(round(seconds), 1)} s" if seconds > 0 else "at once"


def number(value: float) -> str:
    """`12`, `about 1200`, `about 10 million`."""
    if value >= 1e9:
        return f"about {_rounded(value / 1e9)} billion"
    if value >= 1e6:
        return f"about {_rounded(value / 1e6)} million"
    return str(ceil(value)) if value <= 20 else f"about {_rounded(value)}"


def _rounded(value: float) -> str:
    """Two digits that mean something."""
    digits = max(floor(log10(value)) - 1, 0)
    return f"{round(value / 10**digits) * 10**digits}"

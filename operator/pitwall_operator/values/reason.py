"""The reason of a condition: one word for programs, and a sentence for people."""

from dataclasses import dataclass
from typing import Final

WAITING: Final = "Waiting"
"""The word of a reason that passes by itself: pods start, a split is being set."""


@dataclass(frozen=True, slots=True)
class StatusReason:
    """One CamelCase word for programs, and a sentence for people that names the remedy where there is one."""

    word: str
    message: str

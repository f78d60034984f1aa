"""The reason of a condition: one word for programs, and a sentence for people."""

from dataclasses import dataclass
from typing import Final

from pitwall_crds.host.printable import printable

WAITING: Final = "Waiting"
"""The word of a reason that passes by itself: pods start, a split is being set."""


@dataclass(frozen=True, slots=True)
class StatusReason:
    """One CamelCase word for programs, and a sentence for people that names the remedy where there is one.

    The sentence may quote a pod, a server or a user, and is printable whatever they said.
    """

    word: str
    message: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "message", printable(self.message))

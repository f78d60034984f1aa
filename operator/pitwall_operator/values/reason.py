"""The reason of a condition: one word for programs, and a sentence for people."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StatusReason:
    """One CamelCase word for programs, and a sentence for people that names the remedy where there is one."""

    word: str
    message: str

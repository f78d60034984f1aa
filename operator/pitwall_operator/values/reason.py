"""Why something stands where it stands, as a condition says it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StatusReason:
    """One CamelCase word for programs, and a sentence for people that names the remedy where there is one."""

    word: str
    message: str

"""The gateway's interface to the flags, and fixed flags for a gateway without a flag service."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

ERROR_REASON = "ERROR"


@dataclass(frozen=True, slots=True)
class AssignedFlag:
    """What a flag said for one user. On failure value and variant are empty and reason says ERROR."""

    value: str
    variant: str
    reason: str
    detail: str = ""


class Flags(Protocol):
    """In-process flag evaluation: no call waits for the network, none raises."""

    def resolve(self, key: str, targeting_key: str) -> AssignedFlag:
        """The flag's value (a variant's name) and variant key (an arm) for this user."""
        ...

    def keys(self) -> Collection[str]:
        """Every flag key known at this moment."""
        ...

    def document(self, key: str) -> object:
        """What the flag says to everybody, to be compared only: equal as long as it stays the same."""
        ...

    def start(self) -> None:
        """Begin to follow the flag service; may wait a few seconds for the first flags, also when it is down."""
        ...

    def close(self) -> None:
        """Stop following."""
        ...


class FixedFlags:
    """Flags that say the same to every user: for one variant without a flag service, and for tests."""

    def __init__(self, values: Mapping[str, tuple[str, str]]) -> None:
        """Flag key → (variant key, value). The mapping is read at each resolution, so its owner may change it."""
        self._values = values

    def resolve(self, key: str, targeting_key: str) -> AssignedFlag:  # noqa: ARG002 – the same for every user
        """The fixed value, or an error for an unknown flag."""
        if key not in self._values:
            return AssignedFlag("", "", ERROR_REASON, f"flag {key} is unknown")
        variant, value = self._values[key]
        return AssignedFlag(value, variant, "STATIC")

    def keys(self) -> Collection[str]:
        """The keys of the mapping."""
        return self._values.keys()

    def document(self, key: str) -> object:
        """The pair of the mapping."""
        return self._values.get(key)

    def start(self) -> None:
        """Nothing to follow."""

    def close(self) -> None:
        """Nothing to stop."""

"""Types that the store, the admin API and the client share: a flag's record and its changes."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from pitwall_flags.flag.document import metadata_of

LONGEST_ACTOR: Final = 128
LONGEST_REASON: Final = 1024
"""Characters that the audit trail keeps of who changed something, and why."""


class ChangeKind(StrEnum):
    """What a change did."""

    PUT = "put"
    KILL = "kill"
    RELEASE = "release"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class FlagRecord:
    """A flag as last written. While `killed`, everybody gets the default variant, whatever `document` says."""

    key: str
    document: Mapping[str, Any]
    version: int
    killed: bool = False

    def effective(self) -> dict[str, Any]:
        """What evaluators get: without targeting while killed, with the version in its metadata."""
        kept = {name: value for name, value in self.document.items() if not (self.killed and name == "targeting")}
        marks = {"version": str(self.version), **({"killed": True} if self.killed else {})}
        return {**kept, "metadata": {**metadata_of(self.document), **marks}}


@dataclass(frozen=True, slots=True)
class Change:
    """One entry of the audit trail. `revision` numbers all changes of the service without gaps.

    `before` is None when the flag is new, `after` when it is gone; both where they are `forgotten`, since later changes
    filled what is kept of documents.
    """

    revision: int
    key: str
    version: int
    action: ChangeKind
    actor: str
    reason: str
    at_ms: int
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    forgotten: bool = False


@dataclass(frozen=True, slots=True)
class Intent:
    """Who changes something, why, and under which id; the same id is applied once. `writer` is the flag set whose
    bounds it counts against, empty for the service's own tokens."""

    actor: str
    reason: str
    request_id: str = ""
    writer: str = ""


@dataclass(frozen=True, slots=True)
class Contents:
    """All flags at one revision; `written_at_ms` is the time of the last change (ms since 1970, 0 if none)."""

    records: tuple[FlagRecord, ...]
    revision: int
    written_at_ms: int


@dataclass(frozen=True, slots=True)
class Newer:
    """What changed up to a revision since an earlier one: flags as they are at it, and versions of deletions by key.

    Of a page: whether there is `more`, and the key that a page of all flags ends with (`last`).
    """

    records: tuple[FlagRecord, ...]
    gone: Mapping[str, int]
    revision: int
    more: bool = False
    last: str = ""

"""Says what must be written so that the users of a flag whose Rollout is gone return to stable.

A flag remembers whose it is. When that Rollout is gone, or was made anew with another flag, its users go back to the
stable variant and its copies end; the flag itself stays, since it says which variant serves. One that was made anew
with the same flag goes on from what the flag says, so its uid plays no part. Pure: no clock, chance or I/O.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pitwall_crds.names import main_flag
from pitwall_flags.flag.document import at_rest, owner_of
from pitwall_flags.flag.record import FlagRecord


@dataclass(frozen=True, slots=True)
class Rest:
    """A flag as it must be now that its rollout is gone; `why` is a sentence without its end."""

    flag: str
    version: int
    document: Mapping[str, Any]
    owner: tuple[str, str]
    why: str


def to_rest(
    flags: Iterable[FlagRecord], moved: Mapping[tuple[str, str], str], is_ours: Callable[[str], bool]
) -> Iterator[Rest]:
    """What to write.

    Args:
        moved: the flag of each rollout that exists, by namespace and name; empty where it cannot be read.
        is_ours: whether a namespace is one that this operator watches.
    """
    for flag in flags:
        owner = owner_of(flag.document)
        if owner is None or not is_ours(owner[0]):
            continue
        why = _orphaned(flag.key, owner, moved)
        document = at_rest(flag.document) if why else None
        if document is not None:
            yield Rest(flag.key, flag.version, document, owner, why)


def _orphaned(key: str, owner: tuple[str, str], moved: Mapping[tuple[str, str], str]) -> str:
    """Why nobody moves a flag any more; empty if its owner does."""
    if owner not in moved:
        return f"Rollout {'/'.join(owner)} is gone"
    present = moved[owner]
    if present in ("", key, main_flag(key)):
        return ""
    return f"Rollout {'/'.join(owner)} was made anew and moves the flag {present!r} now"

"""Says what must be written so that the users of a flag whose Rollout is gone return to stable.

A flag remembers whose it is. When that Rollout is gone, its users go back to the stable variant and its copies end;
the flag itself stays, since it says which variant serves. Pure: no clock, chance or I/O.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pitwall_flags.flag.document import at_rest
from pitwall_flags.flag.record import FlagRecord
from pitwall_operator.turn.perform import owner_of


@dataclass(frozen=True, slots=True)
class Rest:
    """A flag as it must be now that its rollout is gone."""

    flag: str
    version: int
    document: Mapping[str, Any]
    owner: str


def to_rest(
    flags: Iterable[FlagRecord], existing: Collection[tuple[str, str]], is_ours: Callable[[str], bool]
) -> Iterator[Rest]:
    """What to write; `is_ours` says whether a namespace is one that this operator watches."""
    for flag in flags:
        owner = owner_of(flag.document)
        if owner is None or owner in existing or not is_ours(owner[0]):
            continue
        document = at_rest(flag.document)
        if document is not None:
            yield Rest(flag.key, flag.version, document, "/".join(owner))

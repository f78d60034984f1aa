"""Counts what is under way, by name."""

import contextlib
from collections import Counter
from collections.abc import Hashable, Iterator
from typing import TypeVar

Name = TypeVar("Name", bound=Hashable)


@contextlib.contextmanager
def one_more(under_way: Counter[Name], name: Name) -> Iterator[None]:
    """One more of this name for as long as this lasts; names with none take no room."""
    under_way[name] += 1
    try:
        yield
    finally:
        under_way[name] -= 1
        if not under_way[name]:
            del under_way[name]

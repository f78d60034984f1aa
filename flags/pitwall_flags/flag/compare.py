"""Finds the paths at which two JSON values differ."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

LONGEST_PATH: Final = 1024
"""Characters; what differs below is told whole. A long name would be repeated for each of thousands of values in it."""

_ABSENT = object()


def differences(before: Any, after: Any) -> list[dict[str, Any]]:
    """Each difference as `{"path", "before"?, "after"?}`; an absent side is left out. Paths: JSON Pointer, RFC 6901."""
    return [
        {"path": path, **{name: value for name, value in (("before", old), ("after", new)) if value is not _ABSENT}}
        for path, old, new in _walk("", before, after)
    ]


def _walk(path: str, before: Any, after: Any) -> Iterator[tuple[str, Any, Any]]:
    if len(path) > LONGEST_PATH:
        if before != after or type(before) is not type(after):
            yield path, before, after
    elif isinstance(before, Mapping) and isinstance(after, Mapping):
        names = sorted({*before, *after})
        for name in names:
            yield from _walk(f"{path}/{_escape(name)}", before.get(name, _ABSENT), after.get(name, _ABSENT))
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from _walk(f"{path}/{index}", old, new)
    elif before is _ABSENT or after is _ABSENT or before != after or type(before) is not type(after):
        yield path, before, after


def _escape(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")

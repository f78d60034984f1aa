"""Knows a process again that is scraped under another name than before: as another job, or by another address.

The pod and the second in which it started say which process it is; what else its target is called is Prometheus'
configuration, which may change in mid-run. Pure: no clock, chance or I/O.
"""

import re
from collections.abc import Collection, Mapping
from typing import Final, TypeVar

Shown = TypeVar("Shown")

_NAMED: Final = re.compile(r"([^/]*/[a-z0-9.-]+)/.*@([1-9][0-9]*)", re.DOTALL)
"""Namespace and pod, whatever its target is called, and the start: as `CounterSnapshot` names processes."""


def under_known_names(shown: Mapping[str, Shown], known: Collection[str]) -> dict[str, Shown]:
    """What is shown by process, each under the name by which it is known, if any is known that is not shown itself."""
    missing = {_process(name): name for name in known if name not in shown}
    missing.pop("", None)
    if not missing:
        return dict(shown)
    return {name if name in known else missing.pop(_process(name), name): what for name, what in shown.items()}


def _process(name: str) -> str:
    """Which process it is, whatever it is called; empty where its pod or start is not known."""
    found = _NAMED.fullmatch(name)
    return "@".join(found.groups()) if found else ""

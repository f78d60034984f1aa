"""Lays a SamplerVariant's pod template over the operator's own, as `kubectl patch` does it.

Pure: no clock, chance or I/O.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pitwall_operator.kube.client import Object

MERGED_BY_NAME: Final = frozenset({"containers", "initContainers", "volumes", "env", "imagePullSecrets"})


def merge(base: Any, overlay: Any, field_name: str = "") -> Any:
    """The overlay laid over the base: mappings merge, named lists merge by name, capabilities that are dropped are
    joined, everything else is replaced; null removes."""
    if isinstance(base, Mapping) and isinstance(overlay, Mapping):
        merged = {name: merge(base[name], overlay[name], name) if name in overlay else base[name] for name in base}
        added = {name: value for name, value in overlay.items() if name not in base}
        return {name: value for name, value in {**merged, **added}.items() if value is not None}
    if field_name in MERGED_BY_NAME and isinstance(base, list) and isinstance(overlay, list):
        return _merge_named(base, overlay)
    if field_name == "volumeMounts" and isinstance(base, list) and isinstance(overlay, list):
        return _merge_named(base, overlay, "mountPath")
    if field_name == "drop" and isinstance(base, list) and isinstance(overlay, list):
        return [*base, *(one for one in overlay if one not in base)]
    return overlay


def _merge_named(base: Sequence[Object], overlay: Sequence[Object], key: str = "name") -> list[Any]:
    changes = {entry.get(key): entry for entry in overlay}
    kept = [merge(entry, changes[entry.get(key)]) if entry.get(key) in changes else entry for entry in base]
    known = {entry.get(key) for entry in base}
    return [*kept, *(entry for entry in overlay if entry.get(key) not in known)]

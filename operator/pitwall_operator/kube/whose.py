"""Says whose an object is that bears the name of a pool: nothing of others is written or deleted.

Whoever may write a SamplerVariant chooses that name, and need not be allowed to touch what bears it already. Pure: no
clock, chance or I/O.
"""

from collections.abc import Mapping
from typing import Any, Final

from pitwall_crds.host.printable import printable
from pitwall_crds.names import FIELD_MANAGER, MANAGED_BY, ObjectLabel
from pitwall_operator.kube.client import VARIANTS, Kind, Object

APPLIED: Final = "pitwall.dev/applied"
"""Annotation of a Deployment: the digest of what was applied."""

ROLLOUT_LABEL: Final = "pitwall.dev/rollout"
"""Label of what belongs to a pool: the Rollout of the same namespace whose turns run and drain it."""

APPLIED_BY_US: Final = "applied"
"""What the cache keeps of an object's managed fields."""


def foreign(kind: Kind, found: Object, variant: str, uid: str = "") -> str:
    """Why an object is not this variant's, and what helps; empty if it is. Without a uid any variant of this name will
    do, since who drains a pool may have no SamplerVariant any more."""
    head = found["metadata"]
    holder = next((one for one in head.get("ownerReferences") or () if one.get("controller")), None)
    if holder is not None:
        same = holder.get("kind") == VARIANTS.name and holder.get("name") == variant
        if holder.get("uid") == uid if uid else same:
            return ""
        whose = f"belongs to {holder.get('kind')} {str(holder.get('name'))!r}"
    elif _is_labelled(head, variant) or found.get(APPLIED_BY_US, is_applied(head)):
        return ""
    else:
        whose = f"is not Pitwall's{_maker(head)}"
    return f"{kind.name} {head['name']!r} {whose}; give SamplerVariant {variant!r} another name"


def leaving(kind: Kind, found: Object | None) -> str:
    """What an object that somebody deleted waits for; empty if nobody has deleted it."""
    if found is None or not found["metadata"].get("deletionTimestamp"):
        return ""
    held = ", ".join(found["metadata"].get("finalizers") or ())
    waits = f"is held by finalizer {printable(held)[:300]}" if held else "is not gone yet"
    return f"{kind.name} {found['metadata']['name']!r} was deleted and {waits}; it is made anew once it is gone"


def is_applied(head: Mapping[str, Any]) -> bool:
    """Whether we set fields of an object, also where somebody took labels and owner away."""
    entries = head.get("managedFields") or ()
    return any(one.get("manager") == FIELD_MANAGER and one.get("operation") == "Apply" for one in entries)


def _is_labelled(head: Mapping[str, Any], variant: str) -> bool:
    labels = head.get("labels") or {}
    return labels.get(ObjectLabel.MANAGED_BY) == MANAGED_BY and labels.get(ObjectLabel.VARIANT) == variant


def _maker(head: Mapping[str, Any]) -> str:
    """Who set its spec first, as far as that is known."""
    entries = [one for one in head.get("managedFields") or () if "f:spec" in (one.get("fieldsV1") or {})]
    name = str(entries[0].get("manager") or "") if entries else ""
    return f" ({printable(name)[:128]} made it)" if name else ""

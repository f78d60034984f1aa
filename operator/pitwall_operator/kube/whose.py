"""Says which objects are pools, and whose one is that bears a pool's name: nothing of others is written or deleted.

Whoever may write a SamplerVariant chooses that name, and need not be allowed to touch what bears it already. Labels and
the name of a field manager prove nothing, since anybody may copy them; the name is one object's, and the uid of its
controller is one variant's. Pure: no clock, chance or I/O.
"""

from collections.abc import Mapping
from typing import Any, Final

from pitwall_crds.host.printable import printable
from pitwall_crds.names import MANAGED_BY, ObjectLabel, Pool
from pitwall_crds.variant.pools import pool_name
from pitwall_operator.kube.client import VARIANTS, Kind, Object

APPLIED: Final = "pitwall.dev/applied"
"""Annotation of a Deployment: the digest of what was applied."""

ROLLOUT_LABEL: Final = "pitwall.dev/rollout"
"""Label of what belongs to a pool: the Rollout of the same namespace whose turns run and drain it."""
POOLS: Final = frozenset(pool.value for pool in Pool)


def pool_of(deployment: Object) -> tuple[str, Pool] | None:
    """The variant and the pool that a Deployment is; None of one that merely carries their labels under another name,
    or that somebody else controls."""
    head = deployment["metadata"]
    labels, holder = head.get("labels") or {}, _holder(head)
    variant, pool = labels.get(ObjectLabel.VARIANT, ""), labels.get(ObjectLabel.POOL, "")
    if not variant or pool not in POOLS or pool_name(variant, Pool(pool)) != head["name"]:
        return None
    return (variant, Pool(pool)) if holder is None or _is_called(holder, variant) else None


def foreign(kind: Kind, found: Object, variant: str, uid: str = "") -> str:
    """Why an object is not this variant's, and what helps; empty if it is. Without a uid any variant of this name will
    do, since who drains a pool may have no SamplerVariant any more."""
    head = found["metadata"]
    holder, bears = _holder(head), f"{kind.name} {head['name']!r}"
    if holder is None and _is_labelled(head, variant):
        return ""
    if holder is not None and _is_called(holder, variant):
        if not uid or holder.get("uid") == uid:
            return ""
        return f"{bears} goes with a SamplerVariant {variant!r} that was deleted; it is made anew once it is gone"
    if holder is not None:
        whose = f"belongs to {str(holder.get('kind'))[:63]} {str(holder.get('name'))[:253]!r}"
    else:
        whose = f"is not Pitwall's{_maker(head)}"
    return f"{bears} {whose}; give SamplerVariant {variant!r} another name"


def is_controlled(found: Object, variant: str, uid: str = "") -> bool:
    """Whether an object is this very variant's, and not of an earlier one of its name. Labels and managers, which
    anybody may write, are not believed. Without a uid any variant of this name will do."""
    holder = _holder(found.get("metadata", {}))
    return holder is not None and _is_called(holder, variant) and uid in ("", holder.get("uid"))


def not_made_by_us(kind: Kind, name: str, variant: str) -> str:
    """What is said of an object that bears the name of one that is kept for a variant, and what helps."""
    return (
        f"{kind.name} {name!r} was not made for this SamplerVariant and is left as it is: what a deleted one of its "
        f"name left goes by itself, else delete it or give SamplerVariant {variant!r} another name"
    )


def leaving(kind: Kind, found: Object | None) -> str:
    """What an object that somebody deleted waits for; empty if nobody has deleted it."""
    if found is None or not found["metadata"].get("deletionTimestamp"):
        return ""
    held = ", ".join(found["metadata"].get("finalizers") or ())
    waits = f"is held by finalizer {printable(held)[:300]}" if held else "is not gone yet"
    return f"{kind.name} {found['metadata']['name']!r} was deleted and {waits}; it is made anew once it is gone"


def _holder(head: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The object's controller, if it has one."""
    return next((one for one in head.get("ownerReferences") or () if one.get("controller")), None)


def _is_called(holder: Mapping[str, Any], variant: str) -> bool:
    return holder.get("kind") == VARIANTS.name and holder.get("name") == variant


def _is_labelled(head: Mapping[str, Any], variant: str) -> bool:
    labels = head.get("labels") or {}
    return labels.get(ObjectLabel.MANAGED_BY) == MANAGED_BY and labels.get(ObjectLabel.VARIANT) == variant


def _maker(head: Mapping[str, Any]) -> str:
    """Who set its spec first, as far as that is known."""
    entries = [one for one in head.get("managedFields") or () if "f:spec" in (one.get("fieldsV1") or {})]
    name = str(entries[0].get("manager") or "") if entries else ""
    return f" ({printable(name)[:128]} made it)" if name else ""

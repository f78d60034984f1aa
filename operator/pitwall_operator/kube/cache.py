"""Keeps the newest known state of the cluster's objects, and knows which rollouts a change concerns.

Watch events, lists and answers to own writes may arrive in any order. Does no I/O.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from pitwall_crds.names import FIELD_MANAGER, ObjectLabel
from pitwall_crds.reading.extent import extent_fault
from pitwall_operator.kube.client import BUDGETS, DEPLOYMENTS, ROLLOUTS, SERVICES, VARIANTS, Kind, Object
from pitwall_operator.kube.whose import APPLIED, ROLLOUT_LABEL, pool_of
from pitwall_operator.values.object_key import Key

Made = TypeVar("Made")

PODS_REVISION: Final = "revision"
"""What the cache keeps of a Deployment's template."""

TOMBSTONES: Final = 4096
CACHED: Final = (ROLLOUTS, VARIANTS, DEPLOYMENTS, SERVICES, BUDGETS)
OWNED: Final = (DEPLOYMENTS, SERVICES, BUDGETS)


@dataclass(slots=True)
class Cache:
    """The newest known objects, by kind. An older event than what is known changes nothing."""

    objects: dict[Kind, dict[Key, Object]] = field(default_factory=lambda: {kind: {} for kind in CACHED})
    _read: dict[tuple[Kind, Key], dict[Any, Any]] = field(default_factory=dict)
    _gone: OrderedDict[tuple[Kind, Key], int] = field(default_factory=OrderedDict)
    _by_flag: dict[str, set[Key]] = field(default_factory=dict)
    _by_variant: dict[Key, set[Key]] = field(default_factory=dict)
    _by_rollout: dict[Key, set[Key]] = field(default_factory=dict)

    def get(self, kind: Kind, key: Key) -> Object | None:
        """An object, or None."""
        return self.objects[kind].get(key)

    def read(self, kind: Kind, key: Key, reader: Callable[[Object], Made]) -> Made:
        """What a reader makes of an object that is known: it is asked once for each version."""
        known = self._read.setdefault((kind, key), {})
        if reader not in known:
            known[reader] = reader(self.objects[kind][key])
        made: Made = known[reader]
        return made

    def put(self, kind: Kind, found: Object) -> bool:
        """Keep an object; whether that was news."""
        key = key_of(found)
        known = self.objects[kind].get(key)
        version = version_of(found)
        if known is not None and version_of(known) >= version:
            return False
        if self._gone.get((kind, key), -1) >= version:
            return False
        self._index(kind, key, known, present=False)
        kept = slim(kind, found)
        self.objects[kind][key] = kept
        self._index(kind, key, kept, present=True)
        return True

    def drop(self, kind: Kind, key: Key, version: int) -> Object | None:
        """Forget an object that was deleted at this version; what was known of it, unless that is newer."""
        known = self.objects[kind].get(key)
        if known is not None and version_of(known) > version:
            return None
        self._gone[(kind, key)] = max(
            version, self._gone.get((kind, key), -1)
        )  # news of an earlier deletion may be late
        while len(self._gone) > TOMBSTONES:
            self._gone.popitem(last=False)
        if known is not None:
            del self.objects[kind][key]
            self._index(kind, key, known, present=False)
        return known

    def missing_from(self, kind: Kind, listed: Iterable[Key], version: int, namespace: str = "") -> list[Key]:
        """What is known and not in a list of this version: it was deleted while nobody watched."""
        present = set(listed)
        return [
            key
            for key, known in self.objects[kind].items()
            if key not in present and version_of(known) <= version and namespace in ("", key[0])
        ]

    def stays(self, rollout: Key) -> bool:
        """Whether a rollout exists and nobody has deleted it."""
        found = self.objects[ROLLOUTS].get(rollout)
        return found is not None and not is_leaving(found)

    def moves(self, rollout: Key) -> bool:
        """Whether a rollout that stays has its flag: a split of it is in force. Also where nobody can read the rest."""
        return self.stays(rollout) and bool(_mapping(self.objects[ROLLOUTS][rollout].get("status")).get("weights"))

    def flags_of_staying_rollouts(self) -> Mapping[Key, str]:
        """The flag of each rollout that nobody has deleted; empty where it cannot be read."""
        return {key: _flag(found) for key, found in self.objects[ROLLOUTS].items() if not is_leaving(found)}

    def rollouts_of_flag(self, flag: str) -> frozenset[Key]:
        """Rollouts that ask for this flag."""
        return frozenset(self._by_flag.get(flag, ()))

    def rollouts_of_variant(self, variant: Key) -> frozenset[Key]:
        """Rollouts that ask for this variant or still use it."""
        return frozenset(self._by_variant.get(variant, ()))

    def claimed_variants(self) -> frozenset[Key]:
        """Variants that rollouts which stay ask for or still use."""
        return frozenset(variant for variant, rollouts in self._by_variant.items() if any(map(self.stays, rollouts)))

    def deployments_of(self, rollout: Key) -> Iterator[Object]:
        """The pools that this rollout runs, as their labels say."""
        for key in sorted(self._by_rollout.get(rollout, ())):
            yield self.objects[DEPLOYMENTS][key]

    def concerned(self, kind: Kind, found: Object) -> frozenset[Key]:
        """The rollouts that a change of this object is news for."""
        key = key_of(found)
        if kind is VARIANTS:
            return self.rollouts_of_variant(key)
        if kind in OWNED:
            return frozenset({owner} if (owner := rollout_of(found)) else ())
        rivals = self.rollouts_of_flag(_flag(found)).union(
            *(self.rollouts_of_variant((key[0], name)) for name in mentioned(found))
        )
        return rivals | {key}

    def _index(self, kind: Kind, key: Key, found: Object | None, *, present: bool) -> None:
        self._read.pop((kind, key), None)
        if found is None:
            return
        if kind is ROLLOUTS:
            _mark(self._by_flag, _flag(found), key, present=present)
            for name in mentioned(found):
                _mark(self._by_variant, (key[0], name), key, present=present)
        owner = rollout_of(found) if kind is DEPLOYMENTS and pool_of(found) else None
        if owner:
            _mark(self._by_rollout, owner, key, present=present)


def key_of(found: Object) -> Key:
    """Namespace and name of an object."""
    return found["metadata"]["namespace"], found["metadata"]["name"]


def is_leaving(found: Object) -> bool:
    """Whether somebody has deleted an object that is still there, for the sake of a finalizer. It asks for nothing
    any more, and claims nothing."""
    return "deletionTimestamp" in found["metadata"]


def version_of(found: Object) -> int:
    """The resourceVersion as the number that it is."""
    return int(found["metadata"]["resourceVersion"])


def mentioned(rollout: Object) -> frozenset[str]:
    """Variants that a rollout asks for or still uses. What is of no known shape mentions none: who reads the object
    whole says what is wrong with it."""
    spec, status = _mapping(rollout.get("spec")), _mapping(rollout.get("status"))
    asked = (spec, *map(_mapping, _sequence(spec.get("experiments"))))
    names = [_mapping(part.get("variantRef")).get("name") for part in asked]
    names += [status.get("stableVariant"), status.get("candidateVariant"), *_sequence(status.get("experiments"))]
    return frozenset(name for name in names if isinstance(name, str) and name)


def _mapping(found: Any) -> Mapping[str, Any]:
    return found if isinstance(found, Mapping) else {}


def _sequence(found: Any) -> Iterable[Any]:
    return found if isinstance(found, list) else ()


def rollout_of(owned: Object) -> Key | None:
    """The rollout that runs a Deployment, and what belongs to it."""
    name = (owned["metadata"].get("labels") or {}).get(ROLLOUT_LABEL)
    return (owned["metadata"]["namespace"], name) if name else None


def slim(kind: Kind, found: Object) -> Object:
    """What is worth keeping of an object: of those that we own, whether others changed them, and how they are. Of what
    anybody may write on it, at any length, nothing is kept that nobody reads: the API server holds the whole."""
    metadata = _slim_metadata(kind, found["metadata"])
    if kind not in OWNED:
        return {
            **{name: found[name] for name in _PARTS if name in found},
            **_bounded(kind, found),
            "metadata": metadata,
        }
    strangers = sorted(set(_strangers(found["metadata"].get(_HISTORY) or ())))[:_STRANGERS]
    kept: Object = {"metadata": metadata, "strangers": strangers}
    if kind is DEPLOYMENTS:
        status = _slim_status(found.get("status") or {})
        kept |= {"spec": {"replicas": found["spec"].get("replicas", 1)}, "status": status}
        kept[PODS_REVISION] = _pods_revision(found)
    return kept


def _bounded(kind: Kind, found: Object) -> Object:
    """What is left of parts that are larger than the webhook lets anybody write: nothing, and why. A Rollout's status
    is the operator's own, and long."""
    parts = ("spec",) if kind is ROLLOUTS else ("spec", "status")
    faults = {name: fault for name in parts if (fault := extent_fault(found.get(name)))}
    return {**{name: {} for name in faults}, **({OVERSIZED: "; ".join(faults.values())} if "spec" in faults else {})}


OVERSIZED: Final = "oversized"
"""Why the spec of an object is not kept."""
_PARTS: Final = ("apiVersion", "kind", "spec", "status")
_COUNTS: Final = ("observedGeneration", "replicas", "updatedReplicas", "readyReplicas")
_TELLING: Final = {"type": 64, "status": 16, "reason": 128, "message": 512}
"""What is kept of a Deployment's conditions, and how many characters of it."""
_CONDITIONS: Final = 8
_OWNER: Final = {"kind": 63, "name": 253, "uid": 64}
_STRANGERS: Final = 4
_HISTORY: Final = "managedFields"
_KEPT: Final = (
    "name", "namespace", "uid", "generation", "resourceVersion", "creationTimestamp", "deletionTimestamp",
)  # fmt: skip
_LABELS: Final = frozenset((*ObjectLabel, ROLLOUT_LABEL))
_DIGEST: Final = 64
_QUALIFIED: Final = 317
"""Characters of a name with its domain."""
_FINALIZERS: Final = 4
"""So many are kept, to say who holds an object back."""


def _slim_metadata(kind: Kind, head: Mapping[str, Any]) -> Object:
    """A status that is written with it changes nothing else: the API server takes the status alone."""
    kept: Object = {name: head[name] for name in _KEPT if name in head}
    kept["labels"] = {name: text for name, text in (head.get("labels") or {}).items() if name in _LABELS}
    if kind is DEPLOYMENTS and APPLIED in (annotations := head.get("annotations") or {}):
        kept["annotations"] = {APPLIED: annotations[APPLIED][:_DIGEST]}
    if kind in OWNED:
        owners = [owner for owner in head.get("ownerReferences") or () if owner.get("controller")][:1]
        kept["ownerReferences"] = [{"controller": True, **_cut(owner, _OWNER)} for owner in owners]
    kept["finalizers"] = [name[:_QUALIFIED] for name in (head.get("finalizers") or ())[:_FINALIZERS]]
    return {name: value for name, value in kept.items() if value or name == "labels"}


def _pods_revision(deployment: Object) -> str:
    """The revision that a Deployment's pods are, whatever its own label says by now."""
    template = (deployment["spec"].get("template") or {}).get("metadata") or {}
    said = (template.get("labels") or {}).get(ObjectLabel.REVISION, "")
    return str(said or (deployment["metadata"].get("labels") or {}).get(ObjectLabel.REVISION, ""))


def _slim_status(status: Mapping[str, Any]) -> Object:
    """What is told of a Deployment's pods."""
    conditions = (status.get("conditions") or ())[:_CONDITIONS]
    counts = {name: status[name] for name in _COUNTS if name in status}
    return {**counts, "conditions": [_cut(one, _TELLING) for one in conditions]}


def _cut(found: Mapping[str, Any], lengths: Mapping[str, int]) -> Object:
    """The named texts, none longer than is said."""
    return {name: str(found[name])[:length] for name, length in lengths.items() if name in found}


def _strangers(fields: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Who else set fields of the spec."""
    for entry in fields:
        ours = entry.get("manager") == FIELD_MANAGER and entry.get("operation") == "Apply"
        if not ours and "f:spec" in (entry.get("fieldsV1") or {}):
            yield entry.get("manager", "")[:128]


def _flag(rollout: Object) -> str:
    flag = _mapping(rollout.get("spec")).get("flag")
    return flag if isinstance(flag, str) else ""


def _mark(index: dict[Any, set[Key]], where: Any, key: Key, *, present: bool) -> None:
    if present:
        index.setdefault(where, set()).add(key)
    elif where in index:
        index[where].discard(key)
        if not index[where]:
            del index[where]

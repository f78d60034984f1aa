"""Keeps resources as files of one folder: specs written by the user, statuses by the operator."""

import os
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from enum import StrEnum
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Final

import yaml

from pitwall_crds.host import files
from pitwall_crds.rollout.rollout import Rollout
from pitwall_crds.rollout.status import RolloutStatus
from pitwall_crds.variant.variant import SamplerVariant, SamplerVariantStatus
from pitwall_operator.decision.permission.pending import overtaking, pending_abort
from pitwall_operator.decision.permission.runnable import BUILT_IN, Known, image_problems, in_words, unknown_parts
from pitwall_operator.machine import stored
from pitwall_operator.machine.plugins import installed_samplers
from pitwall_operator.machine.stored import KINDS, UNREADABLE, Resource
from pitwall_operator.values.errors import OvertakenError, ResourceRefusedError

SAMPLER_PLUGINS: Final = "pitwall.samplers"
"""The entry points by which packages add samplers to the runtime of this machine."""


def on_this_machine() -> Known:
    """What the runtime of this environment has: the built-in parts, and samplers of installed packages."""
    plugins = frozenset(entry.name for entry in entry_points(group=SAMPLER_PLUGINS))
    return replace(BUILT_IN, samplers=frozenset(BUILT_IN.samplers) | plugins)


def _problems(variant: SamplerVariant) -> Iterator[str]:
    """Why the runtime of this machine would not start it; an installed package's sampler describes its parameters."""
    known, name = on_this_machine(), variant.spec.sampler.name
    yield from unknown_parts(variant, known)
    if name in known.samplers and name not in BUILT_IN.samplers:
        said = [entry for entry in installed_samplers() if entry.name == name]
        yield from image_problems(variant, said, known) if said else ()


def _after_abort(wanted: Rollout, known: Rollout) -> Rollout:
    """What is applied while an abort waits: a file that asks for nothing leaves it, as a field of another manager."""
    asked, abort = wanted.spec.action, pending_abort(known)
    if asked is None and abort is not None:
        return wanted.model_copy(update={"spec": wanted.spec.model_copy(update={"action": abort})})
    verb, action_id = (asked.verb, asked.id) if asked else (None, "")
    if words := overtaking(known, verb, action_id):
        raise ResourceRefusedError(words)
    return wanted


def _check_same_flag(wanted: Rollout, known: Rollout) -> None:
    if known.spec.flag != wanted.spec.flag:
        raise ResourceRefusedError(
            f"Rollout {wanted.metadata.name!r} moves the flag {known.spec.flag!r}, which must not change to "
            f"{wanted.spec.flag!r}: its users are bucketed; delete the Rollout and apply it anew"
        )


class Applied(StrEnum):
    """What `apply` did, in kubectl's words."""

    CREATED = "created"
    CONFIGURED = "configured"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class UnreadableResource:
    """A resource whose files somebody broke: it stands still, with its users where they are, until they are mended."""

    kind: str
    name: str
    words: str


@dataclass(frozen=True, slots=True)
class Resources:
    """The folder. Each write replaces a whole file, so readers need no lock; whoever writes what follows from what was
    read holds one. A resource has a uid from its making on, and a status belongs to one uid."""

    root: Path

    def _spec_path(self, kind: str, name: str) -> Path:
        return self.root / "resources" / kind.lower() / f"{name}.yaml"

    def _status_path(self, kind: str, name: str) -> Path:
        return self.root / "resources" / kind.lower() / f"{name}.status.json"

    def _alone(self) -> AbstractContextManager[None]:
        return stored.held(self.root / "resources" / ".lock")

    def apply(self, resource: Resource) -> Applied:
        """Store a spec. The generation grows when the spec changes; the same spec again changes nothing."""
        if isinstance(resource, SamplerVariant) and (problems := in_words(tuple(_problems(resource)))):
            raise ResourceRefusedError(f"SamplerVariant {resource.metadata.name!r}: {problems}")
        with self._alone():
            return self._apply(resource)

    def edit(self, rollout: Rollout, change: Callable[[Rollout], Mapping[str, Any]]) -> None:
        """Change fields of a Rollout's spec, worked out from what it is now. Raises OvertakenError where the Rollout is
        gone or was made anew."""
        with self._alone():
            known = self.get(rollout.kind, rollout.metadata.name)
            if not isinstance(known, Rollout) or known.metadata.uid != rollout.metadata.uid:
                raise _overtaken(rollout)
            data = known.model_dump(mode="json", by_alias=True)
            data["spec"] |= change(known)
            self._apply(Rollout.model_validate(data))

    def _apply(self, resource: Resource) -> Applied:
        self._check_flag(resource)
        known, mends = self._known(resource)
        if isinstance(resource, Rollout) and isinstance(known, Rollout):
            _check_same_flag(resource, known)
            resource = _after_abort(resource, known)
        if known is not None and known.spec == resource.spec:
            return Applied.UNCHANGED
        if known is not None:
            uid, generation = known.metadata.uid, known.metadata.generation + 1
        else:
            uid, generation = self._begin(resource, mends=mends)
        metadata = resource.metadata.model_copy(update={"uid": uid, "generation": generation})
        whole = resource.model_copy(update={"metadata": metadata})
        data = whole.model_dump(mode="json", by_alias=True, exclude_unset=False, exclude={"status"})
        files.write_whole(self._spec_path(resource.kind, resource.metadata.name), yaml.safe_dump(data, sort_keys=False))
        return Applied.CONFIGURED if known or mends else Applied.CREATED

    def _known(self, resource: Resource) -> tuple[Resource | None, bool]:
        """What is stored of a resource, and whether that was broken: then it can be replaced, and a status that can be
        read stays."""
        kind, name = resource.kind, resource.metadata.name
        try:
            return self.get(kind, name), False
        except ResourceRefusedError:
            if self._spec_path(kind, name).is_dir():  # a file stays until it is replaced: none would be a deletion
                files.move_aside(self._spec_path(kind, name))
        try:
            stored.read_status(self._status_path(kind, name), kind)
        except UNREADABLE:
            files.move_aside(self._status_path(kind, name))
        return None, True

    def _begin(self, resource: Resource, *, mends: bool) -> tuple[str, int]:
        """The uid and the generation of a resource whose spec is not there. Where it was broken they go on from its
        status; a status that an earlier one of this name left behind is nobody's."""
        path = self._status_path(resource.kind, resource.metadata.name)
        if mends and path.exists():
            uid, status = stored.read_status(path, resource.kind)
            return uid, status.observed_generation + 1
        files.move_aside(path)
        return str(uuid.uuid4()), 1

    def _check_flag(self, resource: Resource) -> None:
        if not isinstance(resource, Rollout):
            return
        for other in self.rollouts():
            same_flag = other.spec.flag == resource.spec.flag
            if same_flag and other.metadata.name != resource.metadata.name:
                raise ResourceRefusedError(
                    f"Rollout {resource.metadata.name!r} uses the flag {other.spec.flag!r}, which Rollout "
                    f"{other.metadata.name!r} already moves; a flag must have one Rollout: "
                    "delete one of them or name another flag"
                )

    def get(self, kind: str, name: str) -> Resource | None:
        """A resource with its status, or None. Raises ResourceRefusedError where a file of it is broken."""
        spec, status = self._spec_path(kind, name), self._status_path(kind, name)
        anew = f"apply the {kind} anew, or `pitwall delete {kind.lower()} {name}`"
        try:
            found = stored.read_spec(spec, kind, name)
        except FileNotFoundError:
            return None
        except UNREADABLE as error:
            raise ResourceRefusedError(f"{spec} was changed by hand: {stored.why(error, spec)}; {anew}") from None
        try:
            uid, known = stored.read_status(status, kind)
        except UNREADABLE as error:
            raise ResourceRefusedError(
                f"{status} was changed by hand: {stored.why(error, status)}; delete it, or {anew}"
            ) from None
        return found.model_copy(update={"status": known}) if uid == found.metadata.uid else found

    def delete(self, kind: str, name: str) -> bool:
        """Forget a resource; whether there was one."""
        path = self._spec_path(kind, name)
        if "/" in name or not path.parent.is_dir():  # it would name a file elsewhere, or there is nothing yet
            return False
        with self._alone():
            existed = os.path.lexists(path)
            files.move_aside(path)
            files.move_aside(self._status_path(kind, name))
            return existed

    def _all(self, kind: str) -> Iterator[Resource | UnreadableResource]:
        for path in sorted((self.root / "resources" / kind.lower()).glob("*.yaml")):
            try:
                resource = self.get(kind, path.stem)
            except ResourceRefusedError as error:
                yield UnreadableResource(kind, path.stem, str(error))
                continue
            if resource is not None:
                yield resource

    def variants(self) -> tuple[SamplerVariant, ...]:
        """Every SamplerVariant that can be read, by name."""
        return tuple(found for found in self._all("SamplerVariant") if isinstance(found, SamplerVariant))

    def rollouts(self) -> tuple[Rollout, ...]:
        """Every Rollout that can be read, by name."""
        return tuple(found for found in self._all("Rollout") if isinstance(found, Rollout))

    def unreadable(self) -> tuple[UnreadableResource, ...]:
        """Every resource whose files cannot be read, and what helps."""
        return tuple(found for kind in KINDS for found in self._all(kind) if isinstance(found, UnreadableResource))

    def write_status(self, resource: Resource, status: RolloutStatus | SamplerVariantStatus) -> None:
        """Store what is known of a resource; nothing is written when nothing changed. Raises OvertakenError where the
        resource is gone or was made anew."""
        with self._alone():
            if not self._is_there(resource):
                raise _overtaken(resource)
            if resource.status != status:
                text = stored.status_text(resource.metadata.uid, status)
                files.write_whole(self._status_path(resource.kind, resource.metadata.name), text)

    def _is_there(self, resource: Resource) -> bool:
        """Whether the resource of this uid is stored; one that cannot be read is not, until it is mended."""
        kind, name = resource.kind, resource.metadata.name
        try:
            found = stored.read_spec(self._spec_path(kind, name), kind, name)
        except UNREADABLE:
            return False
        return found.metadata.uid == resource.metadata.uid


def _overtaken(resource: Resource) -> OvertakenError:
    return OvertakenError(f"{resource.kind} {resource.metadata.name!r} was deleted, made anew or broken meanwhile")

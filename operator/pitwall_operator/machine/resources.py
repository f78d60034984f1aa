"""Keeps resources as files of one folder: specs written by the user, statuses by the operator."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from importlib.metadata import entry_points
from pathlib import Path
from typing import Final

import yaml
from pydantic import ValidationError

from pitwall_crds.errors import UnreadableFileError
from pitwall_crds.host import files
from pitwall_crds.host.printable import printable
from pitwall_crds.rollout import Rollout
from pitwall_crds.status import RolloutStatus
from pitwall_crds.variant import SamplerVariant, SamplerVariantStatus
from pitwall_operator.decision.permission.pending import overtaking, pending_abort
from pitwall_operator.decision.permission.runnable import BUILT_IN, Known, image_problems, unknown_parts
from pitwall_operator.machine.plugins import installed_samplers
from pitwall_operator.values.errors import ResourceRefusedError

Resource = SamplerVariant | Rollout
KINDS: dict[str, type[SamplerVariant] | type[Rollout]] = {"SamplerVariant": SamplerVariant, "Rollout": Rollout}
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""Specs are read several times a second; libyaml needs a tenth of the time where it is there."""


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
    if words := overtaking(known, asked.verb if asked else None):
        raise ResourceRefusedError(words)
    return wanted


class Applied(StrEnum):
    """What `apply` did, in kubectl's words."""

    CREATED = "created"
    CONFIGURED = "configured"
    UNCHANGED = "unchanged"


UNREADABLE: Final = (yaml.YAMLError, TypeError, ValueError, RecursionError, OSError)
"""What reading a file raises, whatever it holds or is."""


def _read_spec(path: Path, kind: str, name: str) -> Resource:
    """The resource of a file, without its status. Raises one of UNREADABLE."""
    data = yaml.load(files.read_text(path), Loader=LOADER)  # noqa: S506 – it is a safe loader
    if not isinstance(data, dict):
        raise UnreadableFileError("it holds no mapping with apiVersion, kind and spec")
    found = KINDS[kind].model_validate({**data, "status": {}})
    if found.metadata.name != name:
        raise UnreadableFileError(f"it holds {found.metadata.name!r}, which belongs into {found.metadata.name}.yaml")
    return found


def _why(error: Exception, path: Path) -> str:
    """What is wrong with a file, in one line."""
    match error:
        case ValidationError():
            words = "; ".join(f"{'.'.join(map(str, one['loc'])) or 'it'}: {one['msg']}" for one in error.errors()[:3])
        case yaml.MarkedYAMLError() if error.problem_mark is not None:
            words = f"it is no YAML (line {error.problem_mark.line + 1}: {error.problem})"
        case yaml.YAMLError():
            words = f"it is no YAML ({error})"
        case RecursionError():
            words = "it is nested too deeply"
        case _:
            words = str(error).replace(f"{path} ", "it ", 1)
    return printable(" ".join(words.split()))[:500]


@dataclass(frozen=True, slots=True)
class UnreadableResource:
    """A resource whose files somebody broke: it stands still, with its users where they are, until they are mended."""

    kind: str
    name: str
    words: str


@dataclass(frozen=True, slots=True)
class Resources:
    """The folder. Each write replaces a whole file, so readers need no lock."""

    root: Path

    def _spec_path(self, kind: str, name: str) -> Path:
        return self.root / "resources" / kind.lower() / f"{name}.yaml"

    def _status_path(self, kind: str, name: str) -> Path:
        return self.root / "resources" / kind.lower() / f"{name}.status.json"

    def apply(self, resource: Resource) -> Applied:
        """Store a spec. The generation grows when the spec changes; the same spec again changes nothing."""
        self._check(resource)
        known, mends = self._known(resource)
        if isinstance(resource, Rollout) and isinstance(known, Rollout) and known.spec.flag != resource.spec.flag:
            raise ResourceRefusedError(
                f"Rollout {resource.metadata.name!r} moves the flag {known.spec.flag!r}, which must not change to "
                f"{resource.spec.flag!r}: its users are bucketed; delete the Rollout and apply it anew"
            )
        if isinstance(resource, Rollout) and isinstance(known, Rollout):
            resource = _after_abort(resource, known)
        if known is not None and known.spec == resource.spec:
            return Applied.UNCHANGED
        generation = (known.metadata.generation if known else self._observed(resource) if mends else 0) + 1
        metadata = resource.metadata.model_copy(update={"generation": generation})
        stored = resource.model_copy(update={"metadata": metadata})
        data = stored.model_dump(mode="json", by_alias=True, exclude_unset=False, exclude={"status"})
        files.write_whole(self._spec_path(resource.kind, resource.metadata.name), yaml.safe_dump(data, sort_keys=False))
        return Applied.CONFIGURED if known or mends else Applied.CREATED

    def _known(self, resource: Resource) -> tuple[Resource | None, bool]:
        """What is stored of a resource, and whether that was broken: then it is out of the way, and a status that can
        be read stays."""
        kind, name = resource.kind, resource.metadata.name
        try:
            return self.get(kind, name), False
        except ResourceRefusedError:
            files.move_aside(self._spec_path(kind, name))
        try:
            type(resource.status).model_validate(files.read_json(self._status_path(kind, name), {}))
        except UNREADABLE:
            files.move_aside(self._status_path(kind, name))
        return None, True

    def _observed(self, resource: Resource) -> int:
        """The generation that a status which can be read is about."""
        known = files.read_json(self._status_path(resource.kind, resource.metadata.name), {})
        return type(resource.status).model_validate(known).observed_generation

    def _check(self, resource: Resource) -> None:
        if not isinstance(resource, Rollout):
            if problems := "; ".join(_problems(resource)):
                raise ResourceRefusedError(f"SamplerVariant {resource.metadata.name!r}: {problems}")
            return
        for other in self.rollouts():
            same_flag = other.spec.flag == resource.spec.flag
            if same_flag and other.metadata.name != resource.metadata.name:
                raise ResourceRefusedError(
                    f"Rollout {resource.metadata.name!r} uses the flag {resource.spec.flag!r}, which Rollout "
                    f"{other.metadata.name!r} already moves; a flag must have one Rollout: "
                    "delete one of them or name another flag"
                )

    def get(self, kind: str, name: str) -> Resource | None:
        """A resource with its status, or None. Raises ResourceRefusedError where a file of it is broken."""
        spec, status = self._spec_path(kind, name), self._status_path(kind, name)
        anew = f"apply the {kind} anew, or `pitwall delete {kind.lower()} {name}`"
        try:
            found = _read_spec(spec, kind, name)
        except FileNotFoundError:
            return None
        except UNREADABLE as error:
            raise ResourceRefusedError(f"{spec} was changed by hand: {_why(error, spec)}; {anew}") from None
        try:
            known = type(found.status).model_validate(files.read_json(status, {}))
        except UNREADABLE as error:
            raise ResourceRefusedError(
                f"{status} was changed by hand: {_why(error, status)}; delete it, or {anew}"
            ) from None
        return found.model_copy(update={"status": known})

    def delete(self, kind: str, name: str) -> bool:
        """Forget a resource; whether there was one."""
        if "/" in name:  # it would name a file elsewhere
            return False
        path = self._spec_path(kind, name)
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
        """Store what is known of a resource; nothing is written when nothing changed."""
        if resource.status == status:
            return
        data = status.model_dump(mode="json", by_alias=True)
        # A status that nobody could read again must not replace one that can be read. Raises ValueError.
        type(status).model_validate(data)
        text = json.dumps(data, indent=1)
        files.write_whole(self._status_path(resource.kind, resource.metadata.name), text)

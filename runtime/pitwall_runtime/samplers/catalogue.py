"""Finds a sampler by name: built in, or a plug-in of an installed package; checks what it declares and what it chose.

A line of BUILT_IN has the form of an entry point: a plug-in is declared in its package's pyproject.toml as

    [project.entry-points."pitwall.samplers"]
    name = "module:attribute"
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final

from pitwall_crds.variant.variant import SamplerSpec
from pitwall_runtime.errors import BadVariantError, WrongSelectionError
from pitwall_runtime.media import Diagnostic, Selection
from pitwall_runtime.samplers.containment import Guard, ImportFailedError, imported
from pitwall_runtime.samplers.contract import CONTRACT, Sampler, SamplerContext
from pitwall_runtime.samplers.parameters import parse

GROUP: Final = "pitwall.samplers"
_HERE: Final = "pitwall_runtime.samplers"

BUILT_IN: Final[Mapping[str, str]] = {
    "uniform": f"{_HERE}.coverage.uniform:SAMPLER",
    "shot-uniform": f"{_HERE}.coverage.shot_uniform:SAMPLER",
    "key-frames": f"{_HERE}.coverage.key_frames:SAMPLER",
    "topk": f"{_HERE}.relevance.topk:SAMPLER",
    "aks": f"{_HERE}.relevance.aks:SAMPLER",
    "bolt": f"{_HERE}.relevance.bolt:SAMPLER",
    "focus": f"{_HERE}.relevance.focus:SAMPLER",
    "qframe": f"{_HERE}.relevance.qframe:SAMPLER",
    "mmr": f"{_HERE}.diversity.mmr:SAMPLER",
    "dpp": f"{_HERE}.diversity.dpp:SAMPLER",
    "adard": f"{_HERE}.diversity.adard:SAMPLER",
    "mdp3": f"{_HERE}.diversity.mdp3:SAMPLER",
    "gift": f"{_HERE}.diversity.gift:SAMPLER",
    "qca": f"{_HERE}.segments.qca:SAMPLER",
    "wfs-sb": f"{_HERE}.segments.wfs_sb:SAMPLER",
    "quota": f"{_HERE}.segments.quota:SAMPLER",
    "router": f"{_HERE}.composed.router:SAMPLER",
    "logic-tree": f"{_HERE}.composed.logic_tree:SAMPLER",
    "expansion": f"{_HERE}.composed.expansion:SAMPLER",
    "learned": f"{_HERE}.composed.learned:SAMPLER",
    "air": f"{_HERE}.composed.air:SAMPLER",
    "frame-thinker": f"{_HERE}.composed.frame_thinker:SAMPLER",
}
"""Samplers of this package; they are imported when they are asked for."""


@dataclass(frozen=True, slots=True)
class BoundSampler:
    """A sampler with its parameters, ready to choose."""

    sampler: Sampler
    parameters: Any
    guard: Guard

    def choose(self, context: SamplerContext) -> Selection:
        """Exactly `context.budget` frames with their times. Raises SamplerFailedError whatever goes wrong."""
        return check(self.sampler.name, self.guard.run(context, self.parameters), context)


def bind(sampler: Sampler, parameters: Mapping[str, Any]) -> BoundSampler:
    """The sampler with these parameters. Raises BadVariantError with those that are wrong."""
    return BoundSampler(sampler, parse(sampler, parameters), Guard(sampler))


def build(spec: SamplerSpec) -> BoundSampler:
    """The sampler that `spec` names with its parameters bound. Raises BadVariantError with what would be right."""
    return bind(find(spec.name), spec.parameters)


def names() -> list[str]:
    """All samplers that can be asked for here, built in or installed."""
    return sorted({*BUILT_IN, *(one.name for one in entry_points(group=GROUP))})


def find(name: str) -> Sampler:
    """The declared sampler. Raises BadVariantError: unknown, claimed twice, not importable, or no sampler at all."""
    claims = _claims(name)
    if not claims:
        raise BadVariantError(f"unknown sampler {name!r}; choose one of {', '.join(names())}")
    if len(claims) > 1:
        raise BadVariantError(
            f"sampler {name!r} is claimed by {' and '.join(map(_origin, claims))}; "
            f"rename the entry point of all but one, or uninstall the others"
        )
    return _load(claims[0])


def _claims(name: str) -> list[EntryPoint]:
    built_in = [EntryPoint(name, BUILT_IN[name], GROUP)] if name in BUILT_IN else []
    return [*built_in, *entry_points(group=GROUP, name=name)]


def _origin(claim: EntryPoint) -> str:
    package = f"package {claim.dist.name} {claim.dist.version}" if claim.dist else "pitwall itself"
    return f"{package} ({claim.value})"


def _load(claim: EntryPoint) -> Sampler:
    where = f"sampler {claim.name!r} of {_origin(claim)}"
    try:
        found = imported(claim.load, claim.module)
    except ImportFailedError as error:
        raise BadVariantError(f"{where} cannot be imported: {error}") from error
    if not isinstance(found, Sampler):
        raise BadVariantError(f"{where} is a {type(found).__name__}; the entry point must name a contract.Sampler")
    if found.name != claim.name:
        raise BadVariantError(f"{where} calls itself {found.name!r}; entry point and Sampler.name must be the same")
    if found.contract != CONTRACT:
        raise BadVariantError(
            f"{where} was written for version {found.contract} of the contract, this runtime speaks {CONTRACT}; "
            f"install versions that go together"
        )
    return found


def check(name: str, selection: object, context: SamplerContext) -> Selection:
    """The selection with its times if it keeps the contract. Raises SamplerFailedError with what is wrong."""
    if not isinstance(selection, Selection):
        raise WrongSelectionError(f"sampler {name!r} gave a {type(selection).__name__}; it must return a Selection")
    if len(selection) != context.budget:
        raise WrongSelectionError(
            f"sampler {name!r} chose {len(selection)} frames; it must choose exactly {context.budget} "
            f"of {context.pool_size}"
        )
    if selection.indices and selection.indices[-1] >= context.pool_size:
        raise WrongSelectionError(
            f"sampler {name!r} chose frame {selection.indices[-1]}; the pool's last is {context.pool_size - 1}"
        )
    times = tuple(float(context.pts_seconds[index]) for index in selection.indices)
    return replace(selection, pts_seconds=times)


def is_json(selection: Selection) -> bool:
    """Whether its diagnostics can be written as JSON."""
    try:
        json.dumps(dict(selection.diagnostics), allow_nan=False)
    except (TypeError, ValueError):
        return False
    return True


def written(name: str, selection: Selection) -> dict[str, Diagnostic]:
    """The selection's diagnostics. Raises WrongSelectionError with the first that cannot be written as JSON."""
    for key, value in selection.diagnostics.items():
        if not is_json(replace(selection, diagnostics={key: value})):
            raise WrongSelectionError(
                f"sampler {name!r} gave the diagnostic {key} = {value!r:.100}, which JSON cannot hold; "
                f"use texts, numbers, booleans and tuples of finite numbers"
            )
    return dict(selection.diagnostics)

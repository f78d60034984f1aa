"""Says why a SamplerVariant cannot run, before anything is tried: what the runtime does not have, what is not allowed.

Pure: no clock, chance or I/O.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from pitwall_crds.names import GATEWAY_END, Pool
from pitwall_crds.reading.problems import suggestion
from pitwall_crds.variant import builtin
from pitwall_crds.variant.variant import SamplerEntry, SamplerVariant
from pitwall_operator.decision.permission.ownership import NO_PREFIXES, FlagPrefixes
from pitwall_operator.decision.permission.parameters import Schema, parameter_problems
from pitwall_operator.kube.allowed import NOTHING_ALLOWED, TemplateAllowance, template_problems

NAME_LENGTH: Final = 63 - len("-candidate")
"""A Service's name has at most 63 characters, and the candidate pool's ends like this."""
SERVICE_NAME: Final = re.compile("[a-z]([-a-z0-9]*[a-z0-9])?")
"""RFC 1035: a Service's name begins with a letter, other than most names in Kubernetes."""
ANY: Final[frozenset[str]] = frozenset()
MOST_TOLD: Final = 8
"""A template may have hundreds of problems; whoever mends these is told the others."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the operator's own runtime image can run; an empty set says nothing.

    Attributes:
        parameters: by sampler; one that is not listed takes any.
        schemas: the parameters' JSON schemas by sampler, where they are known.
        image: what variants' own images have, where somebody asked one: `pitwall-runtime catalogue --json`.
        allowed: what the administrator allows pods beyond what the operator gives them.
        keys_in: the namespace that holds Pitwall's own keys, where no runtime may be; empty: none is kept free.
        prefixes: what flags must begin with, by namespace.
    """

    samplers: Collection[str] = ()
    reducers: Collection[str] = ()
    encoders: Collection[str] = ()
    parameters: Mapping[str, Collection[str]] = field(default_factory=dict)
    schemas: Mapping[str, Schema] = field(default_factory=dict)
    image: Sequence[SamplerEntry] = ()
    allowed: TemplateAllowance = NOTHING_ALLOWED
    keys_in: str = ""
    prefixes: FlagPrefixes = NO_PREFIXES


BUILT_IN: Final = Known(
    samplers=frozenset(builtin.SAMPLERS),
    reducers=builtin.REDUCERS,
    encoders=ANY,
    parameters=builtin.SAMPLERS,
    schemas={entry["name"]: entry["parameters"] for entry in builtin.CATALOGUE},
)
"""What this version's own runtime image has; beside the packaged encoders, every one that open_clip knows."""


def variant_problems(variant: SamplerVariant, known: Known) -> tuple[str, ...]:
    """Why a variant cannot run. With an image of its own it may name what this operator does not know."""
    problems = [
        *_name_problems(variant.metadata.name),
        *template_problems(variant.spec.runtime.template, known.allowed, namespace=variant.metadata.namespace),
    ]
    if variant.metadata.namespace == known.keys_in:
        problems.append(f"namespace {known.keys_in!r} holds Pitwall's own keys: no runtime may be there")
    if not variant.spec.runtime.image:
        problems += unknown_parts(variant, known)
    return tuple(problems)


def in_words(problems: Sequence[str]) -> str:
    """The first problems, and how many more there are; empty if there is none."""
    more = len(problems) - MOST_TOLD
    return "; ".join((*problems[:MOST_TOLD], *([f"and {more} more"] if more > 0 else [])))


def _name_problems(name: str) -> Iterator[str]:
    if len(name) > NAME_LENGTH:
        yield f"metadata.name {name!r} has {len(name)} characters; at most {NAME_LENGTH} leave room for Services"
    if not SERVICE_NAME.fullmatch(name):
        yield f"metadata.name {name!r} must begin with a letter, since the pods' Service is called so (RFC 1035)"
    for pool in (Pool.CONTROL, Pool.CANDIDATE):
        if name.endswith(f"-{pool}"):
            yield f"metadata.name {name!r} must not end with -{pool}: pools of other variants are called so"
    if name.endswith(GATEWAY_END):
        yield f"metadata.name {name!r} must not end with {GATEWAY_END}: the pods of gateways are called so"


def unknown_parts(variant: SamplerVariant, known: Known) -> Iterator[str]:
    """What the variant names that the runtime does not have, and what it has."""
    spec = variant.spec
    remedy = "or set spec.runtime.image to an image that has it"
    for path, asked, choices in (
        ("sampler", spec.sampler.name, known.samplers),
        ("reducer", spec.reducer.name, known.reducers),
        ("encoder", spec.encoder.name, known.encoders),
    ):
        if choices and asked not in choices:
            offered = suggestion(asked, sorted(choices))
            yield f"spec.{path}.name {asked!r} is unknown{offered}; choose one of {_list(choices)}, {remedy}"
    if spec.sampler.name in known.schemas:
        yield from parameter_problems(spec.sampler, known.schemas[spec.sampler.name])
        return
    takes = known.parameters.get(spec.sampler.name, spec.sampler.parameters)
    for one in sorted(set(spec.sampler.parameters) - set(takes)):
        yield f"spec.sampler.parameters.{one} is not a parameter of {spec.sampler.name}; it takes {_list(takes)}"


def image_problems(variant: SamplerVariant, said: Sequence[SamplerEntry], known: Known) -> Iterator[str]:
    """Why it will not start, as its own image describes its samplers; this version's own are taken to be there."""
    spec = variant.spec.sampler
    schemas = {**known.schemas, **{entry.name: entry.parameters for entry in said}}
    if spec.name in schemas:
        yield from parameter_problems(spec, schemas[spec.name])
        needs = {entry.name: entry.needs for entry in said}.get(spec.name, ())
        yield from builtin.unmet_needs(spec.name, needs, has_model=variant.spec.answer.sees_frames)
        return
    offered = suggestion(spec.name, sorted(schemas))
    yield f"spec.sampler.name {spec.name!r} is not in the image{offered}; it has {_list(schemas)}"


def _list(names: Collection[str]) -> str:
    return ", ".join(sorted(names)) or "none"

"""Builds a sampler by name. A plain dictionary: add a line to add a sampler."""

from collections.abc import Callable, Mapping
from typing import Final

from pydantic import ValidationError

from pitwall_crds.variant import SamplerSpec
from pitwall_runtime.errors import BadVariantError
from pitwall_runtime.media import Selection
from pitwall_runtime.samplers import aks, dpp, topk, uniform
from pitwall_runtime.samplers.contract import Sampler, SamplerContext

SAMPLERS: Final[Mapping[str, Sampler]] = {
    "uniform": Sampler(uniform.select, uniform.UniformParameters),
    "topk": Sampler(topk.select, topk.TopKParameters),
    "aks": Sampler(aks.select, aks.AksParameters),
    "dpp": Sampler(dpp.select, dpp.DppParameters),
}


def build(spec: SamplerSpec) -> Callable[[SamplerContext], Selection]:
    """The sampler that `spec` names with its parameters bound. Raises BadVariantError with what would be right."""
    sampler = SAMPLERS.get(spec.name)
    if sampler is None:
        raise BadVariantError(f"unknown sampler {spec.name!r}; choose one of {', '.join(sorted(SAMPLERS))}")
    try:
        parameters = sampler.parameters.model_validate(dict(spec.parameters))
    except ValidationError as error:
        raise BadVariantError(f"sampler {spec.name!r}: {_explain(error)}") from None

    def choose(context: SamplerContext) -> Selection:
        return check(sampler.select(context, parameters), context)

    return choose


def check(selection: Selection, context: SamplerContext) -> Selection:
    """The selection itself if it keeps the contract; a sampler that does not is a bug, said clearly."""
    if len(selection) != context.budget or (selection.indices and selection.indices[-1] >= context.pool_size):
        raise BadVariantError(
            f"the sampler chose {len(selection)} frames up to index {max(selection.indices, default=-1)}; "
            f"it must choose exactly {context.budget} of {context.pool_size}"
        )
    return selection


def _explain(error: ValidationError) -> str:
    return "; ".join(
        f"parameter {'.'.join(map(str, problem['loc']))} = {problem['input']!r}: {problem['msg']}"
        for problem in error.errors()
    )

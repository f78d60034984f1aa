"""What a runtime pod says of its image's samplers and of the one that it serves, and other news of a variant."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from pitwall_crds.variant.variant import FiveMetrics, SamplerEntry


class _Said(BaseModel):
    """From another version of Pitwall, perhaps: what is not known is left aside."""

    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel, validate_by_name=True)


class ServedSampler(_Said):
    """How often the served sampler failed a question since the pod began, and the last failure's words."""

    failures: Annotated[int, Field(ge=0)] = 0
    last_failure: str = ""


class SamplersSaid(_Said):
    """The answer of `/v1/samplers`."""

    samplers: Annotated[tuple[SamplerEntry, ...], Field(fail_fast=True)] = ()
    broken: Annotated[tuple[str, ...], Field(fail_fast=True)] = ()
    served: ServedSampler = ServedSampler()


@dataclass(frozen=True, slots=True)
class VariantNews:
    """What was read about a variant since its last status; None is nothing new."""

    metrics: FiveMetrics | None = None
    said: SamplersSaid | None = None

"""The scalar types of a pod template, each with its bounds, and what a container may use."""

from typing import Annotated

from pydantic import Field

from pitwall_crds.resource import Border

Key = Annotated[str, Field(max_length=317)]
Word = Annotated[str, Field(max_length=253)]
Words = Annotated[tuple[Word, ...], Field(max_length=64)]
Text = Annotated[str, Field(max_length=4096)]
Texts = Annotated[tuple[Text, ...], Field(max_length=64)]
Labels = Annotated[dict[Key, Annotated[str, Field(max_length=63)]], Field(max_length=64)]
Id = Annotated[int, Field(ge=0, le=2**31 - 1)]
Count = Annotated[int, Field(ge=0, le=86_400)]
Weight = Annotated[int, Field(ge=1, le=100, description="How much it counts among others.")]
Port = Annotated[int, Field(ge=1, le=65_535)]

Quantity = (
    Annotated[int, Field(ge=0, le=2**53)]
    | Annotated[str, Field(max_length=32, pattern=r"^[0-9]+(\.[0-9]+)?(m|k|Ki|M|Mi|G|Gi|T|Ti|P|Pi|E|Ei)?$")]
)
"""Kubernetes' number with a unit: 1, "500m", "16Gi"."""

Quantities = Annotated[dict[Key, Quantity], Field(max_length=32)]


class ResourceRequirements(Border):
    """What the runtime container may use and what is kept for it; GPUs and MIG slices are named as the cluster does."""

    limits: Annotated[Quantities, Field(description="At most this much, such as nvidia.com/gpu: 1.")] = {}
    requests: Annotated[Quantities, Field(description="At least this much, such as memory: 8Gi.")] = {}

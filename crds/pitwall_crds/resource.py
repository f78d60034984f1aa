"""What every resource has: metadata, conditions, and pydantic settings that forbid unknown fields."""

import json
from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema
from pydantic.alias_generators import to_camel
from pydantic.config import JsonDict

DNS_LABEL = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"

Name = Annotated[str, Field(pattern=DNS_LABEL, min_length=1, max_length=63)]


class Border(BaseModel):
    """A frozen, strict type with camelCase names outside: unknown fields are refused."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, validate_by_name=True, validate_by_alias=True
    )

    def to_yaml_dict(self) -> dict[str, Any]:
        """This value as the dictionary that a YAML file holds: camelCase, defaults left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_defaults=True)


class Resource(Border):
    """Something that can be applied."""

    def to_manifest(self) -> dict[str, Any]:
        """This resource as a file that can be applied again: apiVersion and kind first, no status."""
        data = self.to_yaml_dict()
        data.pop("status", None)
        head = self.model_dump(mode="json", by_alias=True, include={"api_version", "kind"})
        return {**head, **data}


def cel_rules(*rules: tuple[str, str]) -> ConfigDict:
    """Settings of a type whose cross-field rules (CEL, message) the API server checks as its validators do here."""
    return ConfigDict(
        json_schema_extra={"x-kubernetes-validations": [{"rule": rule, "message": text} for rule, text in rules]}
    )


def keyed_by(field: str) -> JsonDict:
    """Makes a list one of named entries: the API server refuses a name twice, and appliers merge by name."""
    return {"x-kubernetes-list-map-keys": [field]}


MAXIMUM_PACKED: Final = 1_048_576
"""Characters of the longest memory in a status: the counters of a hundred gateways under sixteen gates are a third."""


def _unpacked(value: object) -> object:
    """The mapping in a JSON text. A mapping is left as it is: statuses of older versions hold one."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value or "{}")
    except (ValueError, RecursionError) as error:
        raise ValueError(f"must be a JSON object as text: {str(error)[:200]}") from None


def _packed(value: dict[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":"))


Packed = Annotated[
    dict[str, Any],
    BeforeValidator(_unpacked),
    PlainSerializer(_packed, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "maxLength": MAXIMUM_PACKED}),
]
"""A mapping of the operator's own that is stored as one JSON text, whose depth troubles no reader of the object."""


class Metadata(Border):
    """The part of Kubernetes' ObjectMeta that Pitwall reads. Other fields are kept out, not refused."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", alias_generator=to_camel, validate_by_name=True, validate_by_alias=True
    )

    name: Name
    namespace: Name = "default"
    uid: Annotated[str, Field(max_length=128)] = ""
    creation_timestamp: Annotated[str, Field(max_length=40)] = ""
    generation: Annotated[int, Field(ge=0)] = 0
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class ConditionStatus(StrEnum):
    """Kubernetes' three-valued truth."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Condition(Border):
    """metav1.Condition (Kubernetes API conventions)."""

    type: Annotated[str, Field(max_length=64, description="What this condition is about, such as Ready.")]
    status: ConditionStatus
    observed_generation: Annotated[
        int, Field(ge=0, le=2**53, description="The metadata.generation that this condition was derived from.")
    ] = 0
    last_transition_time: Annotated[str, Field(max_length=40, description="When status last changed, RFC 3339.")]
    reason: Annotated[
        str,
        Field(
            max_length=64,
            pattern=r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
            description="Why, as one CamelCase word.",
        ),
    ]
    message: Annotated[str, Field(max_length=2048, description="Why, in a sentence.")] = ""


class Reference(Border):
    """A resource of the same namespace, by name."""

    name: Annotated[Name, Field(description="The resource's metadata.name.")]

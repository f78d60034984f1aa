"""What every resource has: metadata, conditions, and the pydantic settings that make a border type strict."""

from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

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


class Metadata(Border):
    """The part of Kubernetes' ObjectMeta that Pitwall reads. Other fields are kept out, not refused."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", alias_generator=to_camel, validate_by_name=True, validate_by_alias=True
    )

    name: Name
    namespace: Name = "default"
    uid: Annotated[str, Field(max_length=128)] = ""
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

    type: Annotated[str, Field(max_length=64)]
    status: ConditionStatus
    observed_generation: Annotated[int, Field(ge=0)] = 0
    last_transition_time: Annotated[str, Field(max_length=40)]
    reason: Annotated[str, Field(max_length=64, pattern=r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$")]
    message: Annotated[str, Field(max_length=2048)] = ""


class Reference(Border):
    """A resource of the same namespace, by name."""

    name: Name

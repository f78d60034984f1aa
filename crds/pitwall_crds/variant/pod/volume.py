"""Volumes of a pod template (core/v1, in Kubernetes' words)."""

from typing import Annotated

from pydantic import Field

from pitwall_crds.resource import Border
from pitwall_crds.variant.pod.amounts import Quantity, ResourceRequirements, Text, Word, Words


class Item(Border):
    """One key as a file."""

    key: Annotated[Word, Field(description="The key.")]
    path: Annotated[Text, Field(description="The file's name.")]


Items = Annotated[tuple[Item, ...], Field(max_length=64, description="These keys only.")]
Mode = Annotated[int | None, Field(ge=0, le=511, description="The files' permissions.")]


class EmptyFolder(Border):
    """A folder that goes with the pod."""

    medium: Annotated[str, Field(max_length=16, pattern="^(Memory)?$", description="Memory, or the node's disk.")] = ""
    size_limit: Annotated[Quantity | None, Field(description="How much it may hold.")] = None


class ConfigMapVolume(Border):
    """A ConfigMap as files."""

    name: Annotated[Word, Field(description="Its name.")]
    items: Items = ()
    default_mode: Mode = None
    optional: Annotated[bool | None, Field(description="Whether it may be missing.")] = None


class SecretVolume(Border):
    """A Secret as files, if the administrator allows it."""

    secret_name: Annotated[Word, Field(description="Its name.")]
    items: Items = ()
    default_mode: Mode = None
    optional: Annotated[bool | None, Field(description="Whether it may be missing.")] = None


class VolumeClaim(Border):
    """A PersistentVolumeClaim of the same namespace, if the administrator allows it."""

    claim_name: Annotated[Word, Field(description="Its name.")]
    read_only: Annotated[bool | None, Field(description="Whether nothing can be written.")] = None


class HostFolder(Border):
    """A path of the node, if the administrator allows it."""

    path: Annotated[Text, Field(description="The path.")]
    type: Annotated[str, Field(max_length=32, description="What must be there, such as Directory.")] = ""


class ClaimSpec(Border):
    """What a claim asks for."""

    access_modes: Annotated[Words, Field(description="Such as ReadWriteOnce.")] = ()
    storage_class_name: Annotated[Word, Field(description="The class; empty is the default one.")] = ""
    resources: ResourceRequirements | None = None


class ClaimTemplate(Border):
    """A claim that is made for each pod."""

    spec: ClaimSpec


class EphemeralVolume(Border):
    """A volume of its own for each pod."""

    volume_claim_template: ClaimTemplate


class Volume(Border):
    """A volume, with one source."""

    name: Annotated[Word, Field(description="Its name.")]
    empty_dir: EmptyFolder | None = None
    config_map: ConfigMapVolume | None = None
    secret: SecretVolume | None = None
    persistent_volume_claim: VolumeClaim | None = None
    host_path: HostFolder | None = None
    ephemeral: EphemeralVolume | None = None

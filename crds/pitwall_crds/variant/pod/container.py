"""Containers of a pod template: variables, mounts, confinement (core/v1, in Kubernetes' words)."""

from typing import Annotated

from pydantic import Field

from pitwall_crds.resource import Border
from pitwall_crds.variant.pod.amounts import Id, Port, ResourceRequirements, Text, Texts, Word, Words


class KeyReference(Border):
    """One key of a Secret or ConfigMap of the same namespace."""

    name: Annotated[Word, Field(description="The object's name.")]
    key: Annotated[Word, Field(description="The key in it.")]
    optional: Annotated[bool | None, Field(description="Whether it may be missing.")] = None


class FieldReference(Border):
    """A field of the pod itself."""

    field_path: Annotated[Word, Field(description="Such as status.podIP.")]


class VariableSource(Border):
    """Where a variable's value comes from."""

    secret_key_ref: Annotated[KeyReference | None, Field(description="A Secret that the administrator allows.")] = None
    config_map_key_ref: Annotated[KeyReference | None, Field(description="A ConfigMap.")] = None
    field_ref: FieldReference | None = None


class Variable(Border):
    """An environment variable."""

    name: Annotated[Word, Field(description="Its name.")]
    value: Annotated[Text, Field(description="Its value.")] = ""
    value_from: VariableSource | None = None


class Mount(Border):
    """A volume inside a container."""

    name: Annotated[Word, Field(description="The volume's name.")]
    mount_path: Annotated[Text, Field(description="Where it is mounted.")]
    sub_path: Annotated[Text, Field(description="A folder of the volume.")] = ""
    read_only: Annotated[bool | None, Field(description="Whether nothing can be written.")] = None


class Capabilities(Border):
    """Linux capabilities."""

    add: Annotated[Words, Field(description="More than none, if the administrator allows it.")] = ()
    drop: Annotated[Words, Field(description="Taken away, beside ALL that the operator takes away.")] = ()


class SeccompProfile(Border):
    """Which system calls are allowed."""

    type: Annotated[
        str,
        Field(
            max_length=32,
            pattern="^(RuntimeDefault|Localhost|Unconfined)$",
            description="RuntimeDefault; others if the administrator allows it.",
        ),
    ]
    localhost_profile: Annotated[Text, Field(description="The node's file, with Localhost.")] = ""


class ContainerSecurity(Border):
    """How a container is confined. Less than the operator's own confinement, root's group too, needs the
    administrator's leave."""

    allow_privilege_escalation: Annotated[bool | None, Field(description="Whether a process may gain rights.")] = None
    privileged: Annotated[bool | None, Field(description="Whether it is root on the node.")] = None
    read_only_root_filesystem: Annotated[
        bool | None, Field(description="Whether only volumes can be written; false if the administrator allows it.")
    ] = None
    run_as_non_root: Annotated[bool | None, Field(description="Whether root is refused.")] = None
    run_as_user: Annotated[Id | None, Field(description="The user's number.")] = None
    run_as_group: Annotated[Id | None, Field(description="The group's number.")] = None
    capabilities: Capabilities | None = None
    seccomp_profile: SeccompProfile | None = None


class ContainerPort(Border):
    """A port that a container listens on."""

    container_port: Annotated[Port, Field(description="Its number.")]
    name: Annotated[Word, Field(description="Its name.")] = ""
    protocol: Annotated[str, Field(max_length=8, pattern="^(TCP|UDP)?$", description="TCP or UDP.")] = ""


class Container(Border):
    """A container. The one called runtime is laid over the operator's; others are added, confined as it is."""

    name: Annotated[Word, Field(description="runtime, or the name of a container of your own.")]
    image: Annotated[str, Field(max_length=512, description="Its image; that of runtime is spec.runtime.image.")] = ""
    image_pull_policy: Annotated[
        str, Field(max_length=16, pattern="^(Always|IfNotPresent|Never)?$", description="When it is pulled.")
    ] = ""
    command: Annotated[Texts, Field(description="In place of the image's entry point.")] = ()
    args: Annotated[Texts, Field(description="Arguments of the command.")] = ()
    working_dir: Annotated[Text, Field(description="Where it begins.")] = ""
    env: Annotated[tuple[Variable, ...], Field(max_length=64, description="Variables, merged by name.")] = ()
    ports: Annotated[tuple[ContainerPort, ...], Field(max_length=16, description="Ports.")] = ()
    resources: ResourceRequirements | None = None
    volume_mounts: Annotated[tuple[Mount, ...], Field(max_length=32, description="Mounts, merged by path.")] = ()
    security_context: ContainerSecurity | None = None


Containers = Annotated[tuple[Container, ...], Field(max_length=8)]

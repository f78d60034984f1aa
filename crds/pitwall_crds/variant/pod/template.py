"""The overlay on the pod template.

What is not here cannot be said at all; what could reach beyond the pod (hosts, Secrets, accounts) can be said, and is
refused unless the cluster's administrator allows it.
"""

from typing import Annotated

from pydantic import Field

from pitwall_crds.resource import Border
from pitwall_crds.variant.pod.amounts import Count, Id, Key, Labels, Text, Word, Words
from pitwall_crds.variant.pod.container import Containers, SeccompProfile
from pitwall_crds.variant.pod.placement import Affinity, Toleration, TopologySpread
from pitwall_crds.variant.pod.volume import Volume


class TemplateMetadata(Border):
    """Labels and annotations of the pods, beside the operator's own."""

    labels: Annotated[Labels, Field(description="Further labels, if the administrator allows them.")] = {}
    annotations: Annotated[
        dict[Key, Text],
        Field(max_length=64, description="Annotations; those of others' domains if the administrator allows them."),
    ] = {}


class HostAlias(Border):
    """Names for an address, inside the pods."""

    ip: Annotated[str, Field(max_length=64, description="The address.")]
    hostnames: Annotated[Words, Field(description="Its names.")] = ()


class PodSecurity(Border):
    """Users and groups of the pods. Those of root, and another seccomp profile, need the administrator's leave."""

    fs_group: Annotated[Id | None, Field(description="The group that owns volumes.")] = None
    fs_group_change_policy: Annotated[Word, Field(description="OnRootMismatch or Always.")] = ""
    run_as_non_root: Annotated[bool | None, Field(description="Whether root is refused.")] = None
    run_as_user: Annotated[Id | None, Field(description="The user's number.")] = None
    run_as_group: Annotated[Id | None, Field(description="The group's number.")] = None
    supplemental_groups: Annotated[tuple[Id, ...], Field(max_length=16, description="Further groups.")] = ()
    seccomp_profile: SeccompProfile | None = None


class SecretName(Border):
    """A Secret of the same namespace, by name."""

    name: Annotated[Word, Field(description="Its name.")]


class TemplateSpec(Border):
    """What pods may have beside what the operator gives them."""

    affinity: Affinity | None = None
    node_selector: Annotated[Labels, Field(description="Labels that a node must have.")] = {}
    tolerations: Annotated[tuple[Toleration, ...], Field(max_length=32, description="Taints that do no harm.")] = ()
    topology_spread_constraints: Annotated[
        tuple[TopologySpread, ...] | None,
        Field(max_length=8, description="In place of the operator's own; an empty list is none."),
    ] = None
    priority_class_name: Annotated[
        Word, Field(description="Who goes first where there is no room; system-… if the administrator allows it.")
    ] = ""
    runtime_class_name: Annotated[Word, Field(description="What runs the containers, such as nvidia.")] = ""
    scheduler_name: Annotated[Word, Field(description="Who chooses the nodes.")] = ""
    termination_grace_period_seconds: Annotated[
        Count | None, Field(description="What ending may take; the operator's own holds the answers under way.")
    ] = None
    host_aliases: Annotated[tuple[HostAlias, ...], Field(max_length=32, description="Names of addresses.")] = ()
    image_pull_secrets: Annotated[
        tuple[SecretName, ...], Field(max_length=8, description="Secrets that the administrator allows.")
    ] = ()
    security_context: PodSecurity | None = None
    containers: Annotated[Containers, Field(description="Merged by name: runtime, and sidecars.")] = ()
    init_containers: Annotated[Containers, Field(description="Run before, if the administrator allows it.")] = ()
    volumes: Annotated[tuple[Volume, ...], Field(max_length=32, description="Merged by name.")] = ()
    service_account_name: Annotated[Word, Field(description="An account that the administrator allows.")] = ""
    automount_service_account_token: Annotated[
        bool | None, Field(description="Whether pods get that account's token.")
    ] = None
    host_network: Annotated[bool | None, Field(description="The node's network, if it is allowed.")] = None
    host_pid: Annotated[bool | None, Field(alias="hostPID", description="The node's processes, likewise.")] = None
    host_ipc: Annotated[bool | None, Field(alias="hostIPC", description="The node's shared memory, likewise.")] = None


class PodTemplate(Border):
    """An overlay on the pod template: mappings merge, containers, volumes and variables merge by name."""

    metadata: TemplateMetadata = TemplateMetadata()
    spec: TemplateSpec = TemplateSpec()

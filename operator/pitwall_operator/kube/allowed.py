"""Says what of a variant's pod template reaches beyond its pods and is not allowed by the cluster's administrator.

Pure: no clock, chance or I/O.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from pitwall_crds.names import GROUP
from pitwall_crds.variant.pod.container import Container, ContainerSecurity
from pitwall_crds.variant.pod.placement import Affinity, PodAffinity, PodTerm
from pitwall_crds.variant.pod.template import PodSecurity, PodTemplate, TemplateMetadata, TemplateSpec


@dataclass(frozen=True, slots=True)
class TemplateAllowance:
    """What the administrator allows every variant; nothing by default.

    Attributes:
        privileged: root and its group, capabilities, privilege escalation, another seccomp or AppArmor profile.
        writable_root: containers that write elsewhere than into volumes.
        host_network: the node's network, processes and shared memory.
        init_containers: containers that run before the runtime.
        system_priority: Kubernetes' own priority classes, whose pods drive out everybody else's.
        any_node: nodes whatever their taints, control planes too.
        host_paths: paths of the node, with all below them.
        service_accounts: names of accounts that pods may run as.
        secrets: names of Secrets that pods may read.
        affinity_namespaces: other namespaces whose pods an affinity may name.
        claims: names of volume claims that pods may mount.
        annotations: further keys, or domains with a slash at their end, of the pods' annotations.
        labels: the same of their labels.
    """

    privileged: bool = False
    writable_root: bool = False
    host_network: bool = False
    init_containers: bool = False
    system_priority: bool = False
    any_node: bool = False
    host_paths: tuple[str, ...] = ()
    service_accounts: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    affinity_namespaces: tuple[str, ...] = ()
    claims: tuple[str, ...] = ()
    annotations: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()


NOTHING_ALLOWED: Final = TemplateAllowance()

_SYSTEM_PRIORITY: Final = "system-"
"""Kubernetes keeps names that begin so for classes of its own."""
_PROFILE: Final = re.compile(r"(^|\.)(apparmor|seccomp)\.security\.(alpha|beta)\.kubernetes\.io/")
HARMLESS_ANNOTATIONS: Final = (
    "checksum/",
    "kubectl.kubernetes.io/default-container",
    "kubectl.kubernetes.io/default-logs-container",
    "kubectl.kubernetes.io/restartedAt",
    "prometheus.io/",
)
"""What people and Prometheus read. Keys without a domain are people's own too (Kubernetes leaves them to them), while
networks, meshes, clouds and injectors obey keys of their domains."""
_OWN_KEYS: Final = f"{GROUP}/"
_OWN_PROFILE: Final = frozenset({"runtime/default", "docker/default"})
_CONTROL_PLANES: Final = frozenset({"node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master"})


def template_problems(template: PodTemplate, allowed: TemplateAllowance, *, namespace: str) -> tuple[str, ...]:
    """Every part of the template that is not allowed to a variant of this namespace, with what would allow it."""
    reaching = (*_marks(template.metadata, allowed), *_within(template.spec, allowed, namespace))
    return tuple(
        f"spec.runtime.template.{path} {value}is not allowed here; the cluster's administrator allows it by "
        f"runtime.allow.{switch} of the chart"
        if switch
        else f"spec.runtime.template.{path} is the operator's own to write; leave it out"
        for path, value, switch in reaching
    )


Reach = tuple[str, str, str]
"""Where it stands, its value (with a space) if it has one, and the chart's value that allows it, if any does."""


def _within(spec: TemplateSpec, allowed: TemplateAllowance, namespace: str) -> Iterator[Reach]:
    for path, value, switch in _reaching(spec, allowed, namespace):
        yield f"spec.{path}", value, switch


def _reaching(spec: TemplateSpec, allowed: TemplateAllowance, namespace: str) -> Iterator[Reach]:
    yield from _hosts(spec, allowed)
    yield from _places(spec, allowed)
    yield from _neighbours(spec, allowed, namespace)
    yield from _secrets(spec, allowed)
    yield from _accounts(spec, allowed)
    if spec.init_containers and not allowed.init_containers:
        yield "initContainers", "", "initContainers"
    contexts = (("", spec.security_context), *((f"{place}.", one.security_context) for place, one in _containers(spec)))
    for place, security in contexts:
        for field, value, switch in _loosened(security):
            if switch not in _granted(allowed):
                yield f"{place}securityContext.{field}", value, switch


def _containers(spec: TemplateSpec) -> Iterator[tuple[str, Container]]:
    for field, containers in (("containers", spec.containers), ("initContainers", spec.init_containers)):
        for index, container in enumerate(containers):
            yield f"{field}[{index}]", container


def _hosts(spec: TemplateSpec, allowed: TemplateAllowance) -> Iterator[Reach]:
    """What is the node's, or the namespace's for all who know its name: other pods' volumes too."""
    hosts = {"hostNetwork": spec.host_network, "hostPID": spec.host_pid, "hostIPC": spec.host_ipc}
    for name, asked in hosts.items():
        if asked and not allowed.host_network:
            yield name, "", "hostNetwork"
    for index, volume in enumerate(spec.volumes):
        if volume.host_path is not None and not _is_below(volume.host_path.path, allowed.host_paths):
            yield f"volumes[{index}].hostPath", f"{volume.host_path.path!r} ", "hostPaths"
        claim = volume.persistent_volume_claim
        if claim is not None and claim.claim_name not in allowed.claims:
            yield f"volumes[{index}].persistentVolumeClaim", f"{claim.claim_name!r} ", "claims"


def _places(spec: TemplateSpec, allowed: TemplateAllowance) -> Iterator[Reach]:
    """What puts pods before others' pods, or onto nodes that are kept free of them."""
    priority = spec.priority_class_name
    if priority.startswith(_SYSTEM_PRIORITY) and not allowed.system_priority:
        yield "priorityClassName", f"{priority!r} ", "systemPriority"
    for index, toleration in enumerate(spec.tolerations):
        if not allowed.any_node and toleration.key in {"", *_CONTROL_PLANES}:
            yield f"tolerations[{index}]", f"of {toleration.key or 'every taint'} ", "anyNode"


def _neighbours(spec: TemplateSpec, allowed: TemplateAllowance, namespace: str) -> Iterator[Reach]:
    """Terms about other namespaces' pods. The scheduler holds those pods to them too: where ours must not be beside
    theirs, theirs get no place beside ours. A topology spread counts pods of its own namespace alone."""
    affinity = spec.affinity or Affinity()
    for kind, terms in (("podAffinity", affinity.pod_affinity), ("podAntiAffinity", affinity.pod_anti_affinity)):
        for place, term in _terms(terms or PodAffinity()):
            for other in term.namespaces:
                if other not in (namespace, *allowed.affinity_namespaces):
                    yield f"affinity.{kind}.{place}.namespaces", f"{other!r} ", "affinityNamespaces"


def _terms(asked: PodAffinity) -> Iterator[tuple[str, PodTerm]]:
    for index, term in enumerate(asked.required_during_scheduling_ignored_during_execution):
        yield f"requiredDuringSchedulingIgnoredDuringExecution[{index}]", term
    for index, one in enumerate(asked.preferred_during_scheduling_ignored_during_execution):
        yield f"preferredDuringSchedulingIgnoredDuringExecution[{index}].podAffinityTerm", one.pod_affinity_term


def _is_below(path: str, roots: Iterable[str]) -> bool:
    """Whether a path lies at or below an allowed one; dots that lead up are never allowed."""
    asked = PurePosixPath(path)
    return ".." not in asked.parts and any(asked.is_relative_to(PurePosixPath(root)) for root in roots)


def _accounts(spec: TemplateSpec, allowed: TemplateAllowance) -> Iterator[Reach]:
    account = spec.service_account_name
    if account and account not in allowed.service_accounts:
        yield "serviceAccountName", f"{account!r} ", "serviceAccounts"
    if spec.automount_service_account_token and not (account and account in allowed.service_accounts):
        yield "automountServiceAccountToken", "", "serviceAccounts"


def _secrets(spec: TemplateSpec, allowed: TemplateAllowance) -> Iterator[Reach]:
    for place, name in _secret_names(spec):
        if name not in allowed.secrets:
            yield place, f"{name!r} ", "secrets"


def _secret_names(spec: TemplateSpec) -> Iterator[tuple[str, str]]:
    for index, one in enumerate(spec.image_pull_secrets):
        yield f"imagePullSecrets[{index}]", one.name
    for index, volume in enumerate(spec.volumes):
        if volume.secret is not None:
            yield f"volumes[{index}].secret", volume.secret.secret_name
    for place, container in _containers(spec):
        for index, variable in enumerate(container.env):
            source = variable.value_from.secret_key_ref if variable.value_from is not None else None
            if source is not None:
                yield f"{place}.env[{index}].valueFrom.secretKeyRef", source.name


def _granted(allowed: TemplateAllowance) -> Iterator[str]:
    """The switches about confinement that are on."""
    if allowed.privileged:
        yield "privileged"
    if allowed.writable_root:
        yield "writableRoot"


def _marks(metadata: TemplateMetadata, allowed: TemplateAllowance) -> Iterator[Reach]:
    """What others obey or select pods by: an annotation may lay a pod into another network or have a container put into
    it, a label make it a Service's pod, or one that a NetworkPolicy lets through."""
    free = (*HARMLESS_ANNOTATIONS, *allowed.annotations)
    for key, value in sorted(metadata.annotations.items()):
        if _PROFILE.search(key):  # of the node, as older versions of Kubernetes wrote it and newer ones heed
            if value not in _OWN_PROFILE and not allowed.privileged:
                yield f"metadata.annotations[{key!r}]", f"{value!r} ", "privileged"
        elif "/" in key:
            yield from _unlisted("annotations", key, free)
    for key in sorted(metadata.labels):
        yield from _unlisted("labels", key, allowed.labels)


def _unlisted(kind: str, key: str, listed: Iterable[str]) -> Iterator[Reach]:
    if key.startswith(_OWN_KEYS):
        yield f"metadata.{kind}[{key!r}]", "", ""
    elif not any(key == one or (one.endswith("/") and key.startswith(one)) for one in listed):
        yield f"metadata.{kind}[{key!r}]", "", kind


def _loosened(security: ContainerSecurity | PodSecurity | None) -> Iterator[Reach]:
    """What confines less than the operator does by itself."""
    if security is None:
        return
    for name, numbers in _numbers(security).items():
        if 0 in numbers:
            yield name, "0 ", "privileged"
    if security.run_as_non_root is False:
        yield "runAsNonRoot", "false ", "privileged"
    if security.seccomp_profile is not None and security.seccomp_profile.type != "RuntimeDefault":
        yield "seccompProfile", f"{security.seccomp_profile.type} ", "privileged"
    if isinstance(security, ContainerSecurity):
        yield from _container_loosened(security)


def _numbers(security: ContainerSecurity | PodSecurity) -> Mapping[str, tuple[int | None, ...]]:
    """The users and groups that processes run as, by field."""
    numbers = {"runAsUser": (security.run_as_user,), "runAsGroup": (security.run_as_group,)}
    if isinstance(security, ContainerSecurity):
        return numbers
    return {**numbers, "fsGroup": (security.fs_group,), "supplementalGroups": security.supplemental_groups}


def _container_loosened(security: ContainerSecurity) -> Iterator[Reach]:
    for name, asked in (
        ("privileged", security.privileged),
        ("allowPrivilegeEscalation", security.allow_privilege_escalation),
        ("capabilities.add", bool(security.capabilities and security.capabilities.add)),
    ):
        if asked:
            yield name, "", "privileged"
    if security.read_only_root_filesystem is False:
        yield "readOnlyRootFilesystem", "false ", "writableRoot"

"""Builds the Kubernetes manifests of a pool: Deployment, Service and PodDisruptionBudget.

Pods run as an ordinary user without capabilities on a read-only root; `spec.runtime.template` is laid over the pod
template (containers, volumes and the like merge by name, as `kubectl patch` does it); containers that it adds are
confined alike. Pure: no clock, chance or I/O.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import yaml
from kubernetes.utils import parse_quantity

from pitwall_crds.host import build
from pitwall_crds.names import MANAGED_BY, POOL_ARMS, RUNTIME_NAME, ObjectLabel, Pool
from pitwall_crds.resource import Metadata
from pitwall_crds.variant.pools import pool_name
from pitwall_crds.variant.variant import SamplerVariant
from pitwall_operator.kube.client import BUDGETS, CONFIG_MAPS, DEPLOYMENTS, REVISIONS, SERVICES, VARIANTS, Kind, Object
from pitwall_operator.kube.pools.defaults import Defaults
from pitwall_operator.kube.pools.overlay import merge
from pitwall_operator.kube.pools.sources import is_of
from pitwall_operator.kube.whose import APPLIED, ROLLOUT_LABEL

PORT: Final = 8000
CONTAINER: Final = "runtime"
USER: Final = 65532
CONFINEMENT: Final[Mapping[str, Any]] = {
    "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
}  # fmt: skip
FILMS: Final = "media"
"""The volume of the installation's films."""
VARIANT_FOLDER: Final = "/etc/pitwall"
CACHE_FOLDER: Final = "/var/cache/pitwall"
CACHE_SHARE: Final = Decimal("0.8")
LEAVING_SECONDS: Final = 5
"""A pod that shall stop goes on serving for so long: gateways learn of its leaving a moment after it begins."""

PROBE_SECONDS: Final = 5
"""How long a probe may wait: where other pods load their models, a busy pod that answers is late now and then."""

SPARE_SECONDS: Final = 10
"""What ending a process may take after its last answer."""


@dataclass(frozen=True, slots=True)
class Owner:
    """The SamplerVariant as its objects refer to it, and the Rollout that runs it."""

    namespace: str
    name: str
    uid: str
    rollout: str

    def metadata(self, name: str, labels: Mapping[str, str]) -> Object:
        """The head of an object that goes when the SamplerVariant goes."""
        reference = {
            "apiVersion": VARIANTS.api_version,
            "kind": VARIANTS.name,
            "name": self.name,
            "uid": self.uid,
            "controller": True,
            "blockOwnerDeletion": True,
        }
        head = {"name": name, "namespace": self.namespace, "labels": {**_common(self.name), **labels}}
        return {**head, "ownerReferences": [reference]}

    def pool_metadata(self, pool: Pool) -> Object:
        """The head of an object of a pool, which says whose turns decide on it."""
        return self.metadata(pool_name(self.name, pool), {ObjectLabel.POOL: pool.value, ROLLOUT_LABEL: self.rollout})


def revision_name(variant: str, revision: str) -> str:
    """The name of a revision's ControllerRevision and ConfigMap."""
    return f"{variant}-{revision}"


def _common(variant: str) -> dict[str, str]:
    return {
        ObjectLabel.NAME: RUNTIME_NAME,
        ObjectLabel.MANAGED_BY: MANAGED_BY,
        ObjectLabel.VARIANT: variant,
    }


def _selector(variant: str, pool: Pool) -> dict[str, str]:
    return {**_common(variant), ObjectLabel.POOL: pool.value}


def _object(kind: Kind, metadata: Object, **content: Any) -> Object:
    return {"apiVersion": kind.api_version, "kind": kind.name, "metadata": metadata, **content}


def controller_revision(owner: Owner, variant: SamplerVariant, revision: str, image: str, number: int) -> Object:
    """The revision's spec, kept although the SamplerVariant may be edited; with the image that it runs for good."""
    labels: dict[str, str] = {ObjectLabel.REVISION: revision}
    metadata = owner.metadata(revision_name(owner.name, revision), labels)
    return _object(REVISIONS, metadata, revision=number, data={"spec": variant.to_manifest(), "image": image})


def config_map(owner: Owner, variant: SamplerVariant, revision: str) -> Object:
    """The file that the revision's pods read: the same whenever that revision is run again, however often the variant
    was edited or scaled meanwhile, since it cannot be changed."""
    metadata = owner.metadata(revision_name(owner.name, revision), {ObjectLabel.REVISION: revision})
    runtime = variant.spec.runtime.model_copy(update={"replicas": 1, "scaling": None})
    spec = variant.spec.model_copy(update={"runtime": runtime})
    named = SamplerVariant(metadata=Metadata(name=owner.name, namespace=owner.namespace), spec=spec)
    text = yaml.safe_dump(named.to_manifest(), sort_keys=False)
    return _object(CONFIG_MAPS, metadata, immutable=True, data={"variant.yaml": text})


def service(owner: Owner, pool: Pool) -> Object:
    """What gives the pool EndpointSlices, of whatever revision its pods are; it needs no address of its own."""
    metadata = owner.pool_metadata(pool)
    port = {"name": "http", "port": PORT, "targetPort": "http", "protocol": "TCP"}
    return _object(
        SERVICES, metadata, spec={"clusterIP": "None", "selector": _selector(owner.name, pool), "ports": [port]}
    )


def disruption_budget(owner: Owner, pool: Pool) -> Object:
    """One pod at a time may be evicted. A single pod may be: a budget that forbids it would block a node's drain for
    ever; and pods that are not ready may always go."""
    metadata = owner.pool_metadata(pool)
    spec = {
        "maxUnavailable": 1,
        "selector": {"matchLabels": _selector(owner.name, pool)},
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
    }
    return _object(BUDGETS, metadata, spec=spec)


@dataclass(frozen=True, slots=True)
class PoolRequest:
    """What a pool shall run."""

    variant: SamplerVariant
    revision: str
    image: str
    pool: Pool
    replicas: int


def deployment(owner: Owner, wanted: PoolRequest, defaults: Defaults) -> Object:
    """The pool's pods, with the digest of all this in an annotation."""
    defaults = defaults.of(owner.namespace)
    metadata = owner.pool_metadata(wanted.pool)
    metadata["labels"][ObjectLabel.REVISION] = wanted.revision
    overlay = wanted.variant.spec.runtime.template.to_yaml_dict()
    template = _confined(merge(_template(owner, wanted, defaults), overlay), defaults)
    _name_image(template, wanted, defaults)
    template["metadata"]["labels"] |= _pod_labels(owner, wanted)  # they say what pods are, whatever is laid over them
    spec = {
        "replicas": wanted.replicas,
        "revisionHistoryLimit": 2,
        "progressDeadlineSeconds": defaults.startup_seconds + 60,
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
        "selector": {"matchLabels": _selector(owner.name, wanted.pool)},
        "template": template,
    }
    manifest = _object(DEPLOYMENTS, metadata, spec=spec)
    metadata["annotations"] = {APPLIED: digest(manifest)}
    return manifest


def digest(manifest: Object) -> str:
    """What tells one manifest from another."""
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()[:16]


def _has_films(defaults: Defaults) -> bool:
    return bool(defaults.media_volume and defaults.media_roots)


def _confined(template: Object, defaults: Defaults) -> Object:
    """The template with every container confined as ours is, but for what it says of itself; nobody writes to the
    installation's films, whatever the volume is called, but to a cache that the installation keeps beside them."""
    spec, cache = template["spec"], {"name": "cache", **defaults.cache_volume}
    volumes = (volume for volume in spec["volumes"] if volume != cache)
    films = {volume["name"] for volume in volumes if is_of(volume, defaults.media_volume)}
    films |= {FILMS} if _has_films(defaults) else set()
    for containers in (spec["containers"], spec.get("initContainers", ())):
        for container in containers:
            container["securityContext"] = merge(CONFINEMENT, container.get("securityContext") or {})
            for mount in container.get("volumeMounts", ()):
                if mount["name"] in films:
                    mount["readOnly"] = True
    return template


def _name_image(template: Object, wanted: PoolRequest, defaults: Defaults) -> None:
    """An image that is not the installation's is named to its runtime: what it decodes and embeds is its own in every
    cache, unless the variant vouches for it with a name that it sets itself."""
    runtime = next(one for one in template["spec"]["containers"] if one["name"] == CONTAINER)
    image, environment = runtime.get("image"), runtime.get("env") or []
    is_own = bool(wanted.variant.spec.runtime.image) or image != wanted.image
    if is_own and image != defaults.image and all(one["name"] != build.VARIABLE for one in environment):
        runtime["env"] = [*environment, {"name": build.VARIABLE, "value": image}]


def _template(owner: Owner, wanted: PoolRequest, defaults: Defaults) -> Object:
    spec: Object = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": LEAVING_SECONDS + defaults.grace_seconds + SPARE_SECONDS,
        "securityContext": {
            "runAsNonRoot": True, "runAsUser": USER, "runAsGroup": USER, "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(wanted, defaults)],
        "volumes": _volumes(owner, wanted, defaults),
        "topologySpreadConstraints": [
            {"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway",
             "labelSelector": {"matchLabels": _selector(owner.name, wanted.pool)}},
        ],
    }  # fmt: skip
    if defaults.service_account:
        spec["serviceAccountName"] = defaults.service_account
    if defaults.image_pull_secrets:
        spec["imagePullSecrets"] = [{"name": name} for name in defaults.image_pull_secrets]
    return {"metadata": {"labels": _pod_labels(owner, wanted)}, "spec": spec}


def _pod_labels(owner: Owner, wanted: PoolRequest) -> Object:
    return {**_selector(owner.name, wanted.pool), ObjectLabel.REVISION: wanted.revision}


def _container(wanted: PoolRequest, defaults: Defaults) -> Object:
    roots = [part for root in defaults.media_roots for part in ("--media-root", root)]
    hosts = [part for host in defaults.allowed_hosts for part in ("--allow-host", host)]
    mounts: list[Object] = [
        {"name": "variant", "mountPath": VARIANT_FOLDER, "readOnly": True},
        {"name": "cache", "mountPath": CACHE_FOLDER},
        {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 – the pod's own
    ]
    if _has_films(defaults):
        mounts.append({"name": FILMS, "mountPath": defaults.media_roots[0], "readOnly": True})
    container: Object = {
        "name": CONTAINER,
        "image": wanted.image,
        "command": ["python", "-m", "pitwall_runtime.serve"],
        "args": ["--variant", f"{VARIANT_FOLDER}/variant.yaml", "--arm", POOL_ARMS[wanted.pool][0], "--host", "0.0.0.0",  # noqa: S104 – in a pod
                 "--port", str(PORT), "--cache-dir", CACHE_FOLDER, "--cache-bytes", str(_cache_bytes(defaults)),
                 "--grace-seconds", str(defaults.grace_seconds),
                 *roots, *hosts, *defaults.arguments],
        "env": [{"name": "HOME", "value": CACHE_FOLDER},
                {"name": "PROMETHEUS_DISABLE_CREATED_SERIES", "value": "True"}],
        "ports": [{"name": "http", "containerPort": PORT, "protocol": "TCP"}],
        "resources": _resources(wanted.variant),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": mounts,
        "securityContext": dict(CONFINEMENT),
        "startupProbe": _probe("/readyz", every=2, failures=max(1, defaults.startup_seconds // 2)),
        "readinessProbe": _probe("/readyz", every=5, failures=3),
        "livenessProbe": _probe("/healthz", every=10, failures=6),
        "lifecycle": {"preStop": {"sleep": {"seconds": LEAVING_SECONDS}}},
    }  # fmt: skip
    if defaults.image_pull_policy:
        container["imagePullPolicy"] = defaults.image_pull_policy
    return container


def _cache_bytes(defaults: Defaults) -> int:
    """What a runtime may keep: a pod whose emptyDir grows beyond its size is evicted, so some room is left."""
    size: Decimal = parse_quantity(defaults.cache_size)  # type: ignore[no-untyped-call]
    return int(size * CACHE_SHARE)


def _resources(variant: SamplerVariant) -> Object:
    asked = variant.spec.runtime.resources.model_dump(mode="json", by_alias=True)
    return {kind: {name: str(amount) for name, amount in amounts.items()} for kind, amounts in asked.items() if amounts}


def _probe(path: str, *, every: int, failures: int) -> Object:
    return {
        "httpGet": {"path": path, "port": "http"},
        "periodSeconds": every,
        "timeoutSeconds": PROBE_SECONDS,
        "failureThreshold": failures,
    }


def _volumes(owner: Owner, wanted: PoolRequest, defaults: Defaults) -> list[Object]:
    cache = dict(defaults.cache_volume) or {"emptyDir": {"sizeLimit": defaults.cache_size}}
    volumes: list[Object] = [
        {"name": "variant", "configMap": {"name": revision_name(owner.name, wanted.revision)}},
        {"name": "cache", **cache},
        {"name": "tmp", "emptyDir": {"sizeLimit": "1Gi"}},
    ]
    if _has_films(defaults):
        volumes.append({"name": FILMS, **defaults.media_volume})
    return volumes

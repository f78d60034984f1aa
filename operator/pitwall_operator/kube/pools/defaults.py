"""What the installation says of every runtime pod, in all namespaces or in one."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pitwall_operator.kube.allowed import NOTHING_ALLOWED, TemplateAllowance


@dataclass(frozen=True, slots=True)
class Defaults:
    """What the installation says of every runtime pod.

    Attributes:
        image: for variants that name none.
        image_pull_policy: empty takes Kubernetes' own rule.
        image_pull_secrets: names of Secrets in the variant's namespace.
        service_account: of the pods; they need no API access, so none is mounted.
        media_roots: folders inside the pod that `file://` URLs may be read from.
        allowed_hosts: hosts that videos may be fetched from although their addresses are private.
        cache_volume: a Kubernetes volume source for frames and embeddings; an empty one is an emptyDir.
        cache_size: of that volume, as Kubernetes writes it; runtimes evict from their cache well before.
        arguments: more options of every runtime, such as the ingest queue's address.
        media_volume: a Kubernetes volume source, mounted read-only at the first media root.
        cache_volumes: by namespace, in the cache volume's place: a claim is its namespace's own.
        media_volumes: by namespace, in the media volume's place.
        startup_seconds: how long loading the models may take.
        grace_seconds: how long running answers may take after a pod was asked to stop.
        allowed: what variants may say of their pods although it reaches beyond them.
    """

    image: str
    image_pull_policy: str = ""
    image_pull_secrets: tuple[str, ...] = ()
    service_account: str = ""
    media_roots: tuple[str, ...] = ()
    allowed_hosts: tuple[str, ...] = ()
    cache_volume: Mapping[str, Any] = field(default_factory=dict)
    cache_size: str = "8Gi"
    arguments: tuple[str, ...] = ()
    media_volume: Mapping[str, Any] = field(default_factory=dict)
    cache_volumes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    media_volumes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    startup_seconds: int = 600
    grace_seconds: int = 60
    allowed: TemplateAllowance = NOTHING_ALLOWED

    def of(self, namespace: str) -> "Defaults":
        """The same for one namespace, with its own volumes."""
        return replace(
            self,
            cache_volume=self.cache_volumes.get(namespace, self.cache_volume),
            media_volume=self.media_volumes.get(namespace, self.media_volume),
        )

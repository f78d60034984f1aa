"""Keeps the revisions of variants, their spec, image and file, for as long as something runs them or may return."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from pydantic import ValidationError

from pitwall_crds.names import MANAGED_BY, ObjectLabel
from pitwall_crds.variant import SamplerVariant
from pitwall_operator.kube.cache import Cache, Key, key_of
from pitwall_operator.kube.client import CONFIG_MAPS, REVISIONS, ROLLOUTS, Kube, Object
from pitwall_operator.kube.pools import manifests
from pitwall_operator.kube.pools.manifests import Owner, revision_name
from pitwall_operator.values.errors import KubeConflictError, KubeError, KubeNotFoundError, KubeRefusedError

log = logging.getLogger(__name__)

KEPT_REVISIONS: Final = 5
"""So many revisions of a variant are kept although nothing runs them."""


@dataclass(frozen=True, slots=True)
class Revisions:
    """The revisions of the variants that one rollout runs. `default_image` is for variants that name none; `running`
    tells the revisions of its pods."""

    kube: Kube
    cache: Cache
    rollout: Key
    default_image: str
    running: Callable[[], Iterable[str]]

    async def image(self, owner: Owner, variant: SamplerVariant, revision: str, *, probably_new: bool) -> str:
        """The image that this revision runs for good; an upgrade of the operator changes no running variant. Raises
        KubeError."""
        found = None if probably_new else await self._kept_revision(owner, revision)
        if found is None:
            image = variant.spec.runtime.image or self.default_image
            number = max(1, variant.metadata.generation)
            kept = manifests.controller_revision(owner, variant, revision, image, number)
            try:
                found = await self.kube.create(REVISIONS, kept)
            except KubeConflictError:
                found = await self.kube.get(REVISIONS, owner.namespace, revision_name(owner.name, revision))
            if number > KEPT_REVISIONS:  # each generation has one revision at most
                await self._forget_old_revisions(owner, revision)
        known = (found.get("data") or {}).get("image")
        if not isinstance(known, str) or not known:
            name = revision_name(owner.name, revision)
            raise KubeRefusedError(f"ControllerRevision {name!r} names no image: delete it, and it is made anew")
        return known

    async def keep_file(self, owner: Owner, variant: SamplerVariant, revision: str) -> None:
        """The file of a revision. One that another version wrote says the same in other words, and stays. Raises
        KubeError."""
        try:
            await self.kube.apply(CONFIG_MAPS, manifests.config_map(owner, variant, revision))
        except KubeRefusedError as error:
            if "immutable" not in str(error):
                raise

    async def _kept_revision(self, owner: Owner, revision: str) -> Object | None:
        try:
            return await self.kube.get(REVISIONS, owner.namespace, revision_name(owner.name, revision))
        except KubeNotFoundError:
            return None

    async def _forget_old_revisions(self, owner: Owner, newest: str) -> None:
        """Delete what was kept of revisions that nothing runs or returns to, but for the last few."""
        status = (self.cache.get(ROLLOUTS, self.rollout) or {}).get("status") or {}
        served = {one.get("revision") for one in status.get("served") or ()}
        needed = {newest, *served, status.get("stableRevision"), status.get("candidateRevision"), *self.running()}
        selector = f"{ObjectLabel.MANAGED_BY}={MANAGED_BY},{ObjectLabel.VARIANT}={owner.name}"
        try:
            kept = [
                found
                async for page in self.kube.pages(REVISIONS, owner.namespace, selector, heads=True)
                for found in page["items"]
            ]
            kept.sort(key=lambda found: str(found["metadata"]["creationTimestamp"]))
            for found in kept[:-KEPT_REVISIONS]:
                if found["metadata"]["labels"].get(ObjectLabel.REVISION) not in needed:
                    for kind in (CONFIG_MAPS, REVISIONS):
                        await self.kube.delete(kind, *key_of(found))
        except KubeError as error:
            log.warning("old revisions of %s/%s stay: %s", owner.namespace, owner.name, error)


async def kept_spec(kube: Kube, namespace: str, variant: str, revision: str) -> SamplerVariant | None:
    """A revision's spec as it was kept when it was first run; None where it is gone, or nobody can read it any more."""
    try:
        found = await kube.get(REVISIONS, namespace, revision_name(variant, revision))
    except KubeNotFoundError:
        return None
    try:
        return SamplerVariant.model_validate(found["data"]["spec"])
    except (ValidationError, KeyError, TypeError) as error:
        log.warning("the kept revision %s of %s/%s cannot be read: %s", revision, namespace, variant, error)
        return None

"""Keeps the revisions of variants, their spec, image and file, for as long as something runs them or may return."""

import contextlib
import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from pydantic import ValidationError

from pitwall_crds.names import MANAGED_BY, ObjectLabel
from pitwall_crds.variant.variant import SamplerVariant
from pitwall_operator.kube.cache import Cache, key_of
from pitwall_operator.kube.client import CONFIG_MAPS, REVISIONS, ROLLOUTS, VARIANTS, Kube, Object
from pitwall_operator.kube.pools import manifests
from pitwall_operator.kube.pools.manifests import Owner, revision_name
from pitwall_operator.kube.whose import is_controlled, not_made_by_us
from pitwall_operator.values.errors import KubeConflictError, KubeError, KubeNotFoundError, KubeRefusedError
from pitwall_operator.values.object_key import Key

log = logging.getLogger(__name__)

REMEMBERED_SPECS: Final = 512
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
                found = await self._kept_revision(owner, revision) or {}
            if number > KEPT_REVISIONS:  # each generation has one revision at most
                await self._forget_old_revisions(owner, revision)
        known = (found.get("data") or {}).get("image")
        if not isinstance(known, str) or not known:
            name = revision_name(owner.name, revision)
            raise KubeRefusedError(f"ControllerRevision {name!r} names no image: delete it, and it is made anew")
        return known

    async def keep_file(self, owner: Owner, variant: SamplerVariant, revision: str) -> None:
        """The file of a revision. One that another version wrote says the same in other words, and stays; one that was
        not made for this variant is not touched. Raises KubeError."""
        manifest = manifests.config_map(owner, variant, revision)
        try:
            await self.kube.create(CONFIG_MAPS, manifest)
        except KubeConflictError:
            name = manifest["metadata"]["name"]
            if await self.kube.owned(CONFIG_MAPS, owner.namespace, name, owner.uid) is None:
                raise KubeRefusedError(not_made_by_us(CONFIG_MAPS, name, owner.name)) from None

    async def _kept_revision(self, owner: Owner, revision: str) -> Object | None:
        name = revision_name(owner.name, revision)
        try:
            found = await self.kube.get(REVISIONS, owner.namespace, name)
        except KubeNotFoundError:
            return None
        if not is_controlled(found, owner.name, owner.uid):
            raise KubeRefusedError(not_made_by_us(REVISIONS, name, owner.name))
        return found

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
                if is_controlled(found, owner.name, owner.uid)
            ]
            kept.sort(key=lambda found: str(found["metadata"]["creationTimestamp"]))
            for found in kept[:-KEPT_REVISIONS]:
                if found["metadata"]["labels"].get(ObjectLabel.REVISION) not in needed:
                    await self._forget_file(owner, key_of(found))
                    await self.kube.delete(REVISIONS, *key_of(found), found["metadata"]["uid"])
        except KubeError as error:
            log.warning("old revisions of %s/%s stay: %s", owner.namespace, owner.name, error)

    async def _forget_file(self, owner: Owner, key: Key) -> None:
        with contextlib.suppress(KubeNotFoundError):
            if file := await self.kube.owned(CONFIG_MAPS, *key, owner.uid):
                await self.kube.delete(CONFIG_MAPS, *key, file["metadata"]["uid"])


@dataclass(frozen=True, slots=True)
class KeptSpecs:
    """Remembers the kept specs that were read last. What was believed of a variant that is gone, of which nobody can
    say the uid, is not believed of the next one of its name."""

    kube: Kube
    cache: Cache
    _known: OrderedDict[tuple[Key, str, str], SamplerVariant] = field(default_factory=OrderedDict)

    async def of(self, variant: Key, revision: str) -> SamplerVariant | None:
        """A revision's spec as `kept_spec` finds it."""
        uid = (self.cache.get(VARIANTS, variant) or {"metadata": {}})["metadata"].get("uid", "")
        key = (variant, revision, uid)
        if key not in self._known:
            kept = await kept_spec(self.kube, *variant, revision, uid)
            if kept is None:
                return None
            self._known[key] = kept
            while len(self._known) > REMEMBERED_SPECS:
                self._known.popitem(last=False)
        return self._known[key]


async def kept_spec(kube: Kube, namespace: str, variant: str, revision: str, uid: str = "") -> SamplerVariant | None:
    """A revision's spec as it was kept when it was first run; None where it is gone, was not made for the variant of
    this uid, or nobody can read it any more."""
    name = revision_name(variant, revision)
    try:
        found = await kube.get(REVISIONS, namespace, name)
    except KubeNotFoundError:
        return None
    if not is_controlled(found, variant, uid):
        log.warning("in %s: %s", namespace, not_made_by_us(REVISIONS, name, variant))
        return None
    try:
        return SamplerVariant.model_validate(found["data"]["spec"])
    except (ValidationError, KeyError, TypeError) as error:
        log.warning("the kept revision %s of %s/%s cannot be read: %s", revision, namespace, variant, error)
        return None

"""Runs the variants' pools as Deployments, by server-side apply.

Nothing is read to see pools: the cache holds what the watches brought. An object that somebody else changed, or
deleted, is seen as a pool of no revision, so the next decision runs it again.
"""

import contextlib
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any, Final

from pitwall_crds.names import ObjectLabel, Pool
from pitwall_crds.variant.pools import pool_name
from pitwall_crds.variant.variant import SamplerVariant
from pitwall_operator.kube import whose
from pitwall_operator.kube.allowed import template_problems
from pitwall_operator.kube.cache import PODS_REVISION, Cache, is_leaving, key_of, rollout_of
from pitwall_operator.kube.client import BUDGETS, DEPLOYMENTS, PODS, SERVICES, VARIANTS, Kind, Kube, Object
from pitwall_operator.kube.pools import manifests, pods
from pitwall_operator.kube.pools.defaults import Defaults
from pitwall_operator.kube.pools.manifests import Owner, PoolRequest
from pitwall_operator.kube.pools.revisions import Revisions
from pitwall_operator.kube.whose import APPLIED
from pitwall_operator.values.errors import KubeError, KubeNotFoundError, KubeRefusedError
from pitwall_operator.values.object_key import Key
from pitwall_operator.values.observation import PoolSeen
from pitwall_operator.values.platform import Pools

DRIFTED: Final = ""
"""The revision of a pool whose objects are not as they were applied."""

PARTS: Final = (DEPLOYMENTS, SERVICES, BUDGETS)
"""What a pool is made of."""

PODS_SECONDS: Final = 5.0
"""Pods that are not ready are looked at no more often than this."""

REFUSALS: Final = frozenset({"FailedCreate", "FailedDelete"})
"""Reasons of a Deployment whose pods somebody refuses: a quota, a policy, a webhook."""

Mark = tuple[str, str]


@dataclass(frozen=True, slots=True)
class PodsTrouble:
    """Why pods are not ready, and what befell them by no fault of their own."""

    words: str = ""
    fault: str = ""


@dataclass(slots=True)
class Deployments:
    """All pools of the cluster, and what this replica applied last; the latter can be lost."""

    kube: Kube
    cache: Cache
    defaults: Defaults
    applied: dict[tuple[Kind, Key], Mark] = field(default_factory=dict)
    clock: Callable[[], float] = time.monotonic
    _words: dict[Key, tuple[float, PodsTrouble]] = field(default_factory=dict)

    def of(self, rollout: Key, variants: Collection[str] = ()) -> "RolloutPools":
        """The pools that one rollout decides on: those of the variants that it asks for, and those that it left."""
        return RolloutPools(self, rollout, frozenset(variants))

    async def apply(self, kind: Kind, manifest: Object) -> None:
        """Apply an object of a pool, and remember how it was afterwards."""
        found = await self.kube.apply(kind, manifest)
        self.applied[(kind, key_of(found))] = _mark(found)
        self.cache.put(kind, found)

    def forget(self, kind: Kind, key: Key) -> None:
        """The object is gone."""
        self.applied.pop((kind, key), None)
        self._words.pop(key, None)

    async def find(self, kind: Kind, key: Key) -> Object | None:
        """What bears a name. What has not our label is not in the cache, so the API server is asked for it."""
        known = self.cache.get(kind, key)
        if known is not None:
            return known
        try:
            return await self.kube.get(kind, *key)
        except KubeNotFoundError:
            return None

    async def delete(self, kind: Kind, found: Object) -> None:
        """Delete an object of a pool, and no other one of its name."""
        self.forget(kind, key_of(found))
        await self.kube.delete(kind, *key_of(found), found["metadata"]["uid"])

    async def trouble(self, found: Object) -> PodsTrouble:
        """What keeps a Deployment's pods, asked of them now and then. Where they cannot be listed, nobody knows whose
        fault it is."""
        key, wanted = key_of(found), int(found["spec"]["replicas"])
        if ready_replicas(found) >= wanted:
            self._words.pop(key, None)
            return PodsTrouble()
        asked_at, known = self._words.get(key, (float("-inf"), PodsTrouble()))
        if self.clock() - asked_at < PODS_SECONDS:
            return known
        labels = found["metadata"]["labels"]
        selector = ",".join(f"{label}={labels[label]}" for label in (ObjectLabel.VARIANT, ObjectLabel.POOL))
        known = PodsTrouble(known.words, "its pods cannot be looked at")
        with contextlib.suppress(KubeError):
            async for page in self.kube.pages(PODS, key[0], selector):
                known = PodsTrouble(pods.trouble_of(page["items"]), pods.fault_of(page["items"], wanted))
                break
        self._words[key] = (self.clock(), known)
        return known

    def is_as_applied(self, kind: Kind, key: Key) -> bool:
        """Whether the object is there and nobody else changed what we set. After a restart nothing is remembered: then
        an object counts as changed if somebody else holds fields of its spec."""
        found = self.cache.get(kind, key)
        if found is None or found["metadata"].get("deletionTimestamp"):
            return False
        remembered = self.applied.get((kind, key))
        if remembered is not None:
            return remembered == _mark(found)
        if found["strangers"] or (kind is DEPLOYMENTS and APPLIED not in (found["metadata"].get("annotations") or {})):
            return False
        self.applied[(kind, key)] = _mark(found)
        return True


def _mark(found: Object) -> Mark:
    """What changes when an object's spec does, and with it."""
    metadata = found["metadata"]
    return metadata["uid"], str(metadata.get("generation") or metadata["resourceVersion"])


@dataclass(frozen=True, slots=True)
class RolloutPools:
    """The `Platform` of one rollout."""

    shared: Deployments
    rollout: Key
    variants: frozenset[str] = frozenset()

    async def pools(self) -> Pools:
        """Every pool that this rollout runs, may take over or must drain."""
        seen: dict[str, dict[Pool, PoolSeen]] = {}
        for found in self._deployments():
            known = whose.pool_of(found)
            if known is not None and not is_leaving(found):
                seen.setdefault(known[0], {})[known[1]] = await self._seen(found, known[0])
        return seen

    async def _seen(self, found: Object, variant: str) -> PoolSeen:
        key, owner = key_of(found), self.shared.cache.get(VARIANTS, (self.rollout[0], variant))
        leaving = {kind: whose.leaving(kind, self.shared.cache.get(kind, key)) for kind in PARTS}
        # What nobody owns any more goes with its SamplerVariant, piece by piece, and cannot be applied again.
        controlled = owner is None or whose.is_controlled(found, variant, owner["metadata"]["uid"])
        whole = owner is None or (
            controlled
            and rollout_of(found) == self.rollout
            and all(leaving[kind] or self.shared.is_as_applied(kind, key) for kind in PARTS)
        )
        told, pods_trouble = trouble(found), await self.shared.trouble(found)
        applied = found[PODS_REVISION]
        return PoolSeen(
            revision=applied if whole else DRIFTED,
            applied="" if whole else applied,
            desired=int(found["spec"]["replicas"]),
            ready=ready_replicas(found) if controlled else 0,
            trouble=told or pods_trouble.words,
            refusal="; ".join(filter(None, (told if told.startswith(tuple(REFUSALS)) else "", *leaving.values()))),
            fault=pods_trouble.fault,
        )

    async def run(self, variant: SamplerVariant, revision: str, pool: Pool, replicas: int) -> None:
        """Keep this many replicas of the pool, of this revision. Raises KubeError."""
        name = variant.metadata.name
        self._refuse_reaching(variant)
        owner = self._owner(name)
        key = (owner.namespace, pool_name(name, pool))
        known = (await self.pools()).get(name, {}).get(pool)
        is_new = known is None or known.revision != revision
        for kind in PARTS if is_new else (DEPLOYMENTS,):
            await self._refuse_taken(kind, key, owner)
        revisions = self._revisions()
        image = await revisions.image(owner, variant, revision, probably_new=known is None)
        if is_new:
            await revisions.keep_file(owner, variant, revision)
            await self.shared.apply(SERVICES, manifests.service(owner, pool))
            await self.shared.apply(BUDGETS, manifests.disruption_budget(owner, pool))
        wanted = PoolRequest(variant, revision, image, pool, replicas)
        await self.shared.apply(DEPLOYMENTS, manifests.deployment(owner, wanted, self.shared.defaults))

    async def drain(self, variant: str, pool: Pool) -> None:
        """Delete the pool. Its pods leave the EndpointSlices at once and have their grace period to finish. Raises
        KubeError, also where something of others bears its name, after all else was done."""
        key, others = (self.rollout[0], pool_name(variant, pool)), []
        for kind in (BUDGETS, DEPLOYMENTS, SERVICES):
            found = await self.shared.find(kind, key)
            words = whose.foreign(kind, found, variant) if found is not None else ""
            if words:
                others.append(words)
            elif found is not None and not whose.leaving(kind, found):
                await self.shared.delete(kind, found)
        if others:
            raise KubeRefusedError("; ".join(others))

    def targets(self) -> tuple[str, ...]:
        """None: Prometheus collects the counters."""
        return ()

    def _revisions(self) -> Revisions:
        shared = self.shared
        return Revisions(shared.kube, shared.cache, self.rollout, shared.defaults.image, self._running)

    def _running(self) -> set[str]:
        return {found[PODS_REVISION] for found in self._deployments()}

    def _owner(self, variant: str) -> Owner:
        namespace, rollout = self.rollout
        found = self.shared.cache.get(VARIANTS, (namespace, variant))
        if found is None:
            raise KubeNotFoundError(f"SamplerVariant {variant!r} does not exist in namespace {namespace!r}")
        return Owner(namespace, variant, found["metadata"]["uid"], rollout)

    def _refuse_reaching(self, variant: SamplerVariant) -> None:
        """What the administrator does not allow is not run, be it from a webhook that was off or an older version."""
        allowed, namespace = self.shared.defaults.allowed, self.rollout[0]
        problems = template_problems(variant.spec.runtime.template, allowed, namespace=namespace)
        if problems:
            raise KubeRefusedError(f"SamplerVariant {variant.metadata.name!r}: {'; '.join(problems)}")

    async def _refuse_taken(self, kind: Kind, key: Key, owner: Owner) -> None:
        """A name that is taken must not be fought for, and what leaves is waited for."""
        found = await self.shared.find(kind, key)
        if found is None:
            return
        words = whose.foreign(kind, found, owner.name, owner.uid) or whose.leaving(kind, found)
        if words:
            raise KubeRefusedError(words)
        other = rollout_of(found)
        if other is not None and other in self._other_claimants(owner.name):
            raise KubeRefusedError(f"{kind.name} {key[1]!r} is run by Rollout {other[1]!r}; a variant has one Rollout")

    def _deployments(self) -> Iterator[Object]:
        """The pools that this rollout decides on."""
        cache, namespace = self.shared.cache, self.rollout[0]
        named = ((namespace, pool_name(variant, pool)) for variant, pool in product(self.variants, Pool))
        for key in sorted({*named, *map(key_of, cache.deployments_of(self.rollout))}):
            found = cache.get(DEPLOYMENTS, key)
            known = whose.pool_of(found) if found is not None else None
            if found is not None and known is not None and self._decides_on(found, known[0]):
                yield found

    def _decides_on(self, found: Object, variant: str) -> bool:
        """Whether it is this rollout's to run or to drain. Who claims a variant decides on its pools, whatever Rollout
        their label names that does not, or that is gone; of several that do, the one of the label. What nobody claims
        is drained by the one of the label, or taken over by whoever finds it serving."""
        runner, others = rollout_of(found), self._other_claimants(variant)
        if not others:
            return runner == self.rollout or variant in self.variants
        own = self.rollout in self.shared.cache.rollouts_of_variant((self.rollout[0], variant))
        return own and runner not in others

    def _other_claimants(self, variant: str) -> frozenset[Key]:
        cache = self.shared.cache
        return frozenset(filter(cache.stays, cache.rollouts_of_variant((self.rollout[0], variant)) - {self.rollout}))


def ready_replicas(deployment: Object) -> int:
    """Pods of the newest template that are ready: surely so, since a Deployment counts ready pods of all templates."""
    status: Mapping[str, Any] = deployment.get("status") or {}
    if int(status.get("observedGeneration", 0)) < int(deployment["metadata"].get("generation", 0)):
        return 0
    old = int(status.get("replicas", 0)) - int(status.get("updatedReplicas", 0))
    return max(0, min(int(status.get("updatedReplicas", 0)), int(status.get("readyReplicas", 0)) - max(0, old)))


def trouble(deployment: Object) -> str:
    """What the Deployment says of itself, if it is not getting on."""
    for condition in (deployment.get("status") or {}).get("conditions") or ():
        bad = {"Progressing": "False", "ReplicaFailure": "True"}.get(condition.get("type", ""))
        if bad is not None and condition.get("status") == bad:
            return f"{condition.get('reason', '')}: {condition.get('message', '')}"[:300]
    return ""

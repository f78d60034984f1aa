"""Pools as Deployments on a real API server: applied once, seen without a call, repaired, never fought for."""

import json
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from pitwall_crds.names import Pool
from pitwall_crds.reading.load import revision_of
from pitwall_crds.variant.variant import SamplerVariant
from pitwall_operator.kube.cache import CACHED, Cache
from pitwall_operator.kube.client import DEPLOYMENTS, ROLLOUTS, VARIANTS, Kube, connect
from pitwall_operator.kube.fence import Fence
from pitwall_operator.kube.pools.defaults import Defaults
from pitwall_operator.kube.pools.deployments import DRIFTED, Deployments, RolloutPools
from pitwall_operator.values.errors import KubeRefusedError

pytestmark = pytest.mark.slow


class PoolCalls(Counter[tuple[str, str]]):
    def count(self, verb: str, resource: str) -> None:
        self[(verb, resource)] += 1

    def writes(self) -> int:
        return sum(count for (verb, _), count in self.items() if verb not in ("get", "list"))


@pytest.fixture
def calls() -> PoolCalls:
    return PoolCalls()


@pytest.fixture
async def kube(kubectl, namespace, calls) -> AsyncIterator[Kube]:
    opened = await connect(kubectl.kubeconfig, Fence(lambda: True, calls))
    yield opened
    await opened.close()


class PoolWorld:
    """A variant, its rollout's pools, and a cache that is filled by lists in place of watches."""

    def __init__(self, kubectl: Any, namespace: str, kube: Kube) -> None:
        self.kubectl, self.namespace, self.kube = kubectl, namespace, kube
        self.restart()

    def restart(self) -> None:
        """What an operator that starts anew knows: nothing."""
        self.cache = Cache()
        self.deployments = Deployments(self.kube, self.cache, Defaults("registry.example/runtime:1"))

    def pools(self, rollout: str = "sampler") -> RolloutPools:
        return self.deployments.of((self.namespace, rollout))

    async def look(self) -> None:
        for kind in CACHED:
            async for page in self.kube.pages(kind, self.namespace):
                for found in page["items"]:
                    self.cache.put(kind, found)

    async def declare(self, name: str, **spec: Any) -> SamplerVariant:
        manifest = {
            "apiVersion": "pitwall.dev/v1alpha1", "kind": "SamplerVariant", "metadata": {"name": name},
            "spec": {"sampler": {"name": "uniform"}, **spec},
        }  # fmt: skip
        self.kubectl.apply(manifest, namespace=self.namespace)
        await self.look()
        return SamplerVariant.model_validate(self.cache.get(VARIANTS, (self.namespace, name)))


@pytest.fixture
def world(kubectl, namespace, kube) -> PoolWorld:
    return PoolWorld(kubectl, namespace, kube)


async def run(world: PoolWorld, variant: SamplerVariant, replicas: int = 1, pool: Pool = Pool.MAIN) -> None:
    await world.pools().run(variant, revision_of(variant), pool, replicas)


async def test_what_was_applied_is_seen_and_applying_it_again_writes_nothing_new(world, calls):
    variant = await world.declare("aks")
    await run(world, variant, 2)
    before = world.kubectl.get("deployment", "aks", namespace=world.namespace)["metadata"]["resourceVersion"]

    (seen,) = (await world.pools().pools())["aks"].values()
    assert (seen.revision, seen.desired) == (revision_of(variant), 2)
    asked = calls.total()
    await world.pools().pools()
    assert calls.total() == asked

    world.restart()
    await world.look()
    await run(world, variant, 2)
    after = world.kubectl.get("deployment", "aks", namespace=world.namespace)["metadata"]
    if after["resourceVersion"] != before:  # the Deployment controller may have written its status meanwhile
        assert after["generation"] == 1


async def test_scaling_is_one_call(world, calls):
    variant = await world.declare("aks")
    await run(world, variant, 1)
    before = calls.writes()
    await run(world, variant, 3)
    assert calls.writes() - before == 1


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(("scale", "deployment/aks", "--replicas=7"), id="scaled by hand"),
        pytest.param(("set", "image", "deployment/aks", "runtime=evil:1"), id="another image"),
        pytest.param(("delete", "service", "aks"), id="service deleted"),
        pytest.param(("delete", "pdb", "aks"), id="budget deleted"),
        pytest.param(("patch", "service", "aks", "-p", '{"spec":{"selector":{"x":"y"}}}'), id="another selector"),
    ],
)
@pytest.mark.parametrize("restarted", [False, True], ids=["", "operator restarted"])
async def test_what_somebody_else_changed_is_repaired_once(world, kubectl, change, restarted):
    variant = await world.declare("aks")
    await run(world, variant, 2)
    kubectl(*change, namespace=world.namespace)
    if restarted:
        world.restart()
    else:
        for kind in CACHED:
            world.cache.objects[kind].clear()
    await world.look()
    seen = (await world.pools().pools())["aks"][Pool.MAIN]
    assert (seen.revision, seen.desired) != (revision_of(variant), 2)

    await run(world, variant, 2)
    await world.look()
    seen = (await world.pools().pools())["aks"][Pool.MAIN]
    assert (seen.revision, seen.desired) == (revision_of(variant), 2)
    found = kubectl.get("deployment", "aks", namespace=world.namespace)["spec"]
    assert (found["replicas"], found["template"]["spec"]["containers"][0]["image"]) == (2, "registry.example/runtime:1")


async def test_a_field_that_we_do_not_set_stays_and_is_no_drift_for_ever(world, kubectl):
    variant = await world.declare("aks")
    await run(world, variant)
    kubectl("rollout", "restart", "deployment/aks", namespace=world.namespace)
    await world.look()
    assert (await world.pools().pools())["aks"][Pool.MAIN].revision == DRIFTED
    await run(world, variant)
    await world.look()
    assert (await world.pools().pools())["aks"][Pool.MAIN].revision == revision_of(variant)
    annotations = kubectl.get("deployment", "aks", namespace=world.namespace)["spec"]["template"]["metadata"]
    assert "kubectl.kubernetes.io/restartedAt" in annotations["annotations"]


async def test_an_edited_variant_keeps_its_old_revision_beside_the_new_one(world, kubectl):
    old = await world.declare("aks", maxFrames=8)
    await run(world, old)
    new = await world.declare("aks", maxFrames=16)
    await run(world, new, pool=Pool.CANDIDATE)
    pools = (await world.pools().pools())["aks"]
    assert {pool: seen.revision for pool, seen in pools.items()} == {
        Pool.MAIN: revision_of(old),
        Pool.CANDIDATE: revision_of(new),
    }
    kept = {
        found["data"]["spec"]["spec"]["maxFrames"] for found in kubectl.list("controllerrevisions", world.namespace)
    }
    assert kept == {8, 16}


async def test_only_the_last_revisions_are_kept_and_those_that_run(world, kubectl):
    first = await world.declare("aks", maxFrames=1)
    await run(world, first)
    for frames in range(2, 10):
        edited = await world.declare("aks", maxFrames=frames)
        await run(world, edited, pool=Pool.CANDIDATE)
    kept = {
        found["data"]["spec"]["spec"]["maxFrames"] for found in kubectl.list("controllerrevisions", world.namespace)
    }
    files = [one["metadata"]["name"] for one in kubectl.list("configmaps", world.namespace)]
    assert {1, 8, 9} <= kept
    assert len(kept) <= 7
    assert sum(name.startswith("aks-") for name in files) == len(kept)


async def test_an_upgraded_operator_does_not_change_the_image_of_what_runs(world, kubectl):
    variant = await world.declare("aks")
    await run(world, variant, 1)
    world.deployments.defaults = replace(world.deployments.defaults, image="registry.example/runtime:2")
    await run(world, variant, 2)
    found = kubectl.get("deployment", "aks", namespace=world.namespace)["spec"]["template"]["spec"]["containers"][0]
    assert found["image"] == "registry.example/runtime:1"


async def test_a_drained_pool_is_gone_and_the_others_stay(world, kubectl):
    variant = await world.declare("aks")
    await run(world, variant)
    await run(world, variant, pool=Pool.CONTROL)
    await world.pools().drain("aks", Pool.CONTROL)
    for kind in ("deployments", "services", "poddisruptionbudgets"):
        left = [
            one["metadata"]["name"]
            for one in kubectl.list(kind, world.namespace)
            if not one["metadata"].get("deletionTimestamp")
        ]
        assert left == ["aks"]


async def test_a_name_that_belongs_to_another_variant_is_not_fought_for(world):
    await run(world, await world.declare("aks"), pool=Pool.CONTROL)
    other = await world.declare("aks-control")
    with pytest.raises(KubeRefusedError, match="belongs to SamplerVariant 'aks'; give SamplerVariant 'aks-control'"):
        await run(world, other)


async def test_pools_of_another_rollout_are_neither_seen_nor_taken_while_it_exists(world):
    variant = await world.declare("aks")
    await run(world, variant)
    assert await world.pools("other").pools() == {}
    head = {"namespace": world.namespace, "name": "sampler", "uid": "u", "resourceVersion": "1"}
    world.cache.put(ROLLOUTS, {"metadata": head, "spec": {"flag": "f", "variantRef": {"name": "aks"}}})
    with pytest.raises(KubeRefusedError, match="run by Rollout 'sampler'"):
        await world.pools("other").run(variant, revision_of(variant), Pool.MAIN, 1)
    world.cache.drop(ROLLOUTS, (world.namespace, "sampler"), 2)
    await world.pools("other").run(variant, revision_of(variant), Pool.MAIN, 1)
    assert list(await world.pools("other").pools()) == ["aks"]
    assert (world.cache.get(DEPLOYMENTS, (world.namespace, "aks")))["metadata"]["labels"][
        "pitwall.dev/rollout"
    ] == "other"


async def test_a_status_that_is_written_leaves_everything_else_as_it_is(world, kubectl):
    """The cache keeps a part of the metadata alone, and the status is written with it."""
    variant = await world.declare("aks")
    said = {"annotations": {"example.org/a": "b"}, "labels": {"example.org/l": "m"}, "finalizers": ["example.org/f"]}
    kubectl("patch", "samplervariant", "aks", "--type=merge", "-p", json.dumps({"metadata": said}),
            namespace=world.namespace)  # fmt: skip
    await world.look()
    kept = world.cache.get(VARIANTS, (world.namespace, variant.metadata.name))
    await world.kube.replace_status(VARIANTS, {**kept, "status": {"readyReplicas": 3}})
    after = kubectl.get("samplervariant", "aks", namespace=world.namespace)
    kubectl("patch", "samplervariant", "aks", "--type=merge", "-p", '{"metadata":{"finalizers":null}}',
            namespace=world.namespace)  # fmt: skip

    assert after["status"]["readyReplicas"] == 3
    assert after["metadata"]["annotations"].items() >= said["annotations"].items()
    assert len(after["metadata"]["annotations"]) == 2, "what kubectl keeps there stays too"
    assert (after["metadata"]["labels"], after["metadata"]["finalizers"]) == (said["labels"], said["finalizers"])
    assert after["spec"]["sampler"]["name"] == "uniform"


WEB = {"app": "checkout"}
TEMPLATE = {"metadata": {"labels": WEB}, "spec": {"containers": [{"name": "a", "image": "x"}]}}
FOREIGN = [
    ("v1", "Service", {"clusterIP": "None", "selector": WEB}),
    ("policy/v1", "PodDisruptionBudget", {"minAvailable": 1, "selector": {"matchLabels": WEB}}),
    ("apps/v1", "Deployment", {"selector": {"matchLabels": WEB}, "template": TEMPLATE}),
]


@pytest.mark.parametrize(("version", "kind", "spec"), FOREIGN, ids=[kind for _, kind, _ in FOREIGN])
async def test_what_others_made_under_a_pools_name_is_neither_written_nor_deleted(
    world, kubectl, calls, version, kind, spec
):
    variant = await world.declare("checkout")
    manifest = {"apiVersion": version, "kind": kind, "metadata": {"name": "checkout"}, "spec": spec}
    kubectl.apply(manifest, world.namespace)
    before = kubectl.get(kind, "checkout", world.namespace)
    written, words = calls.writes(), rf"{kind} 'checkout' is not Pitwall's \(kubectl.* made it\); give SamplerVariant"
    with pytest.raises(KubeRefusedError, match=words):
        await run(world, variant)
    with pytest.raises(KubeRefusedError, match=words):
        await world.pools().drain("checkout", Pool.MAIN)

    after = kubectl.get(kind, "checkout", world.namespace)
    assert (after["metadata"]["uid"], after["spec"]) == (before["metadata"]["uid"], before["spec"])
    assert "ownerReferences" not in after["metadata"]
    assert calls.writes() == written


async def test_a_copy_of_a_pool_under_another_name_is_none_though_it_is_applied_under_our_field_managers_name(
    world, kubectl
):
    variant = await world.declare("aks")
    await run(world, variant)
    for kind in ("service", "pdb", "deployment"):
        found = kubectl.get(kind, "aks", world.namespace)
        kept = {name: found["metadata"][name] for name in ("labels", "annotations") if name in found["metadata"]}
        copied = {**found, "metadata": {"name": "zzz-aks", **kept}}
        del copied["status"]
        kubectl("apply", "--server-side", "--field-manager=pitwall-operator", "-f", "-",
                namespace=world.namespace, manifest=copied)  # fmt: skip
    world.restart()
    await world.look()

    assert list((await world.pools().pools())["aks"]) == [Pool.MAIN]
    await world.pools().drain("aks", Pool.MAIN)
    world.restart()
    await world.look()
    assert await world.pools().pools() == {}
    assert kubectl.get("deployment", "zzz-aks", world.namespace)["metadata"]["name"] == "zzz-aks"


@pytest.mark.parametrize("kind", ["service", "pdb", "deployment"])
async def test_what_a_finalizer_of_others_holds_is_not_written_and_made_anew_afterwards(world, kubectl, calls, kind):
    variant = await world.declare("aks")
    await run(world, variant)
    kubectl("patch", kind, "aks", "-p", '{"metadata":{"finalizers":["example.org/x"]}}', namespace=world.namespace)
    kubectl("delete", kind, "aks", "--wait=false", namespace=world.namespace)
    await world.look()
    written = calls.writes()
    pools = (await world.pools().pools()).get("aks", {})
    if kind == "deployment":
        with pytest.raises(KubeRefusedError, match="was deleted and is held by finalizer"):
            await run(world, variant)
    else:
        assert pools[Pool.MAIN].revision == revision_of(variant)
        assert "was deleted and is held by finalizer example.org/x" in pools[Pool.MAIN].refusal
    assert calls.writes() == written

    kubectl("patch", kind, "aks", "-p", '{"metadata":{"finalizers":null}}', namespace=world.namespace)
    world.restart()
    await world.look()
    await run(world, variant)
    assert "deletionTimestamp" not in kubectl.get(kind, "aks", world.namespace)["metadata"]

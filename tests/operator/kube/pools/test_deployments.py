"""Pools as Deployments: what is applied, what counts as changed by others, what is refused, and what is in the way."""

import re
from typing import Any

import pytest

from pitwall_crds.names import Pool
from pitwall_crds.reading.load import revision_of
from pitwall_crds.variant.variant import SamplerVariant
from pitwall_operator.kube.cache import Cache
from pitwall_operator.kube.client import (
    BUDGETS,
    CONFIG_MAPS,
    DEPLOYMENTS,
    PODS,
    REVISIONS,
    ROLLOUTS,
    SERVICES,
    VARIANTS,
)
from pitwall_operator.kube.pools.defaults import Defaults
from pitwall_operator.kube.pools.deployments import PODS_SECONDS, Deployments, ready_replicas, trouble
from pitwall_operator.kube.whose import APPLIED, ROLLOUT_LABEL
from pitwall_operator.values.errors import KubeNotFoundError, KubeRefusedError
from pitwall_operator.values.observation import PoolSeen

KEY, ROLLOUT = ("shop", "aks-v1"), ("shop", "sampler")
LABELS = {
    "app.kubernetes.io/managed-by": "pitwall",
    "pitwall.dev/variant": "aks-v1",
    "pitwall.dev/pool": "main",
    "pitwall.dev/revision": "r1",
    ROLLOUT_LABEL: "sampler",
}
OWNER = {"controller": True, "uid": "u-aks", "kind": "SamplerVariant", "name": "aks-v1"}
MADE = {"ownerReferences": [OWNER]}
OURS = {"manager": "pitwall-operator", "operation": "Apply", "fieldsV1": {"f:spec": {}}}
THEIRS = {"manager": "kubectl-edit", "operation": "Update", "fieldsV1": {"f:spec": {}}}


def variant(generation: int = 1, **runtime: Any) -> SamplerVariant:
    head = {"name": "aks-v1", "namespace": "shop", "uid": "u-aks", "generation": generation}
    return SamplerVariant.model_validate({"metadata": head, "spec": {"sampler": {"name": "aks"}, "runtime": runtime}})


def head(version: int = 1, **more: Any) -> dict[str, Any]:
    return {
        "namespace": "shop", "name": "aks-v1", "uid": "u1", "generation": 1, "resourceVersion": str(version),
        "labels": LABELS, "annotations": {APPLIED: "d"}, "managedFields": [OURS], "ownerReferences": [OWNER], **more,
    }  # fmt: skip


def deployment(version: int = 1, *, ready: int = 1, replicas: int = 1, **more: Any) -> dict[str, Any]:
    status = {"observedGeneration": 1, "replicas": replicas, "updatedReplicas": replicas, "readyReplicas": ready}
    return {"metadata": head(version, **more), "spec": {"replicas": replicas}, "status": status}


@pytest.fixture
def cache() -> Cache:
    made = Cache()
    made.put(VARIANTS, {"metadata": {"namespace": "shop", "name": "aks-v1", "uid": "u-aks", "resourceVersion": "1"}})
    return made


@pytest.fixture
def now() -> list[float]:
    return [0.0]


@pytest.fixture
async def deployments(kube, cache, now) -> Deployments:
    return Deployments(kube, cache, Defaults("runtime:1"), clock=lambda: now[0])


def serve(api, revision: str) -> None:
    """Let every write succeed as it was sent."""
    versions = iter(range(10, 10_000))

    def stored(body):
        metadata = {**body["metadata"], "uid": "u1", "generation": 1, "resourceVersion": str(next(versions))}
        return 200, {**body, "metadata": metadata}

    for kind in (SERVICES, BUDGETS, DEPLOYMENTS):
        api.answers[("PATCH", kind.path(*KEY))] = stored
    api.answers[("POST", CONFIG_MAPS.path("shop"))] = stored
    api.answers[("POST", REVISIONS.path("shop"))] = stored


async def test_a_revision_whose_file_an_older_version_wrote_is_run_all_the_same(deployments, api):
    declared = variant()
    revision = revision_of(declared)
    serve(api, revision)
    path = CONFIG_MAPS.path("shop", f"aks-v1-{revision}")
    api.on("POST", CONFIG_MAPS.path("shop"), 409, {"message": "exists"})
    api.on("PATCH", path, 200, {"metadata": {"uid": "u7"}})
    await deployments.of(ROLLOUT).run(declared, revision, Pool.MAIN, 1)
    assert (await deployments.of(ROLLOUT).pools())["aks-v1"][Pool.MAIN].desired == 1
    [asked] = [body for _, target, body in api.calls if target == path]
    assert asked == [{"op": "test", "path": "/metadata/ownerReferences/0/uid", "value": "u-aks"}], "it changes nothing"

    api.on("PATCH", path, 403, {"message": "forbidden"})
    with pytest.raises(KubeRefusedError, match="forbidden"):
        await deployments.of(ROLLOUT).run(declared, revision, Pool.CANDIDATE, 1)


async def test_a_config_map_of_others_with_a_revisions_name_is_neither_changed_nor_mounted(deployments, api):
    declared = variant()
    revision = revision_of(declared)
    serve(api, revision)
    api.on("POST", CONFIG_MAPS.path("shop"), 409, {"message": "exists"})
    api.on("PATCH", CONFIG_MAPS.path("shop", f"aks-v1-{revision}"), 422, {"message": "testing value failed"})

    with pytest.raises(KubeRefusedError, match=f"ConfigMap 'aks-v1-{revision}' was not made for this SamplerVariant"):
        await deployments.of(ROLLOUT).run(declared, revision, Pool.MAIN, 1)
    written = [(method, target) for method, target in api.asked() if method != "GET" and "deployments" in target]
    assert written == []


async def test_a_kept_revision_that_was_not_made_for_this_variant_is_not_believed(deployments, api):
    declared = variant()
    revision = revision_of(declared)
    serve(api, revision)
    api.on("POST", REVISIONS.path("shop"), 409, {"message": "exists"})
    forged = {"metadata": {"labels": {**LABELS, "app.kubernetes.io/managed-by": "pitwall"}}, "data": {"image": "evil"}}
    api.on("GET", REVISIONS.path("shop", f"aks-v1-{revision}"), 200, forged)

    with pytest.raises(KubeRefusedError, match=r"ControllerRevision .* was not made for this SamplerVariant"):
        await deployments.of(ROLLOUT).run(declared, revision, Pool.MAIN, 1)


def place(cache: Cache, **more: Any) -> None:
    cache.put(DEPLOYMENTS, deployment(**more))
    for kind in (SERVICES, BUDGETS):
        cache.put(kind, {"metadata": head(), "spec": {}})


async def test_a_pool_is_made_whole_its_deployment_last(deployments, api):
    declared = variant()
    revision = revision_of(declared)
    serve(api, revision)
    await deployments.of(ROLLOUT).run(declared, revision, Pool.MAIN, 2)

    made = [target.rsplit("/", 1)[-1] for method, target in api.asked() if method == "POST"]
    assert made == ["controllerrevisions", "configmaps"]
    written = [target.partition("?")[0].rsplit("/", 2)[-2] for method, target in api.asked() if method == "PATCH"]
    assert written == ["services", "poddisruptionbudgets", "deployments"]
    told = "its pods cannot be looked at"
    assert (await deployments.of(ROLLOUT).pools())["aks-v1"][Pool.MAIN] == PoolSeen(revision, 2, 0, fault=told)


async def test_scaling_a_pool_that_is_as_it_was_applied_writes_its_deployment_alone(deployments, api):
    declared = variant()
    revision = revision_of(declared)
    serve(api, revision)
    await deployments.of(ROLLOUT).run(declared, revision, Pool.MAIN, 2)
    [kept] = [body for method, target, body in api.calls if (method, target) == ("POST", REVISIONS.path("shop"))]
    api.on("GET", REVISIONS.path("shop", f"aks-v1-{revision}"), 200, kept)
    api.calls.clear()
    await deployments.of(ROLLOUT).run(declared, revision, Pool.MAIN, 3)

    [written] = [target for method, target in api.asked() if method != "GET"]
    assert written.startswith(DEPLOYMENTS.path(*KEY))
    assert api.calls[-1][2]["spec"]["replicas"] == 3


async def test_a_revision_keeps_the_image_that_it_began_with(deployments, api):
    """An upgrade of the operator brings another image; what runs does not change with it."""
    declared = variant()
    revision = revision_of(declared)
    serve(api, revision)
    api.on("POST", REVISIONS.path("shop"), 409, {"message": "exists"})
    api.on("GET", REVISIONS.path("shop", f"aks-v1-{revision}"), 200, {"metadata": MADE, "data": {"image": "runtime:0"}})
    await deployments.of(ROLLOUT).run(declared, revision, Pool.MAIN, 1)

    assert api.calls[-1][2]["spec"]["template"]["spec"]["containers"][0]["image"] == "runtime:0"


@pytest.mark.parametrize(
    ("more", "applied_by_us"),
    [
        pytest.param({}, True, id="nobody else touched it"),
        pytest.param({"managedFields": [OURS, THEIRS]}, False, id="somebody edited its spec"),
        pytest.param({"annotations": {}}, False, id="it was never applied by us"),
        pytest.param({"deletionTimestamp": "2026-01-01T00:00:00Z"}, False, id="it is going away"),
    ],
)
async def test_after_a_restart_an_object_counts_as_ours_by_what_it_says_itself(deployments, cache, more, applied_by_us):
    place(cache, **more)

    assert deployments.is_as_applied(DEPLOYMENTS, KEY) is applied_by_us


async def test_a_new_generation_that_we_did_not_write_is_a_change(deployments, cache):
    place(cache)
    assert deployments.is_as_applied(DEPLOYMENTS, KEY)
    cache.put(DEPLOYMENTS, deployment(2, ready=0))
    assert deployments.is_as_applied(DEPLOYMENTS, KEY), "another status is none"
    cache.put(DEPLOYMENTS, deployment(3, generation=2))
    assert not deployments.is_as_applied(DEPLOYMENTS, KEY)


async def test_what_is_missing_or_made_anew_is_a_change(deployments, cache):
    place(cache)
    assert deployments.is_as_applied(SERVICES, KEY)
    cache.drop(SERVICES, KEY, 5)
    assert not deployments.is_as_applied(SERVICES, KEY)
    cache.put(SERVICES, {"metadata": head(6, uid="another"), "spec": {}})
    assert not deployments.is_as_applied(SERVICES, KEY)


async def test_a_pool_whose_service_somebody_deleted_is_of_no_revision(deployments, cache):
    place(cache)
    assert (await deployments.of(ROLLOUT).pools())["aks-v1"][Pool.MAIN] == PoolSeen("r1", 1, 1)
    cache.drop(SERVICES, KEY, 5)

    assert (await deployments.of(ROLLOUT).pools())["aks-v1"][Pool.MAIN] == PoolSeen("", 1, 1, applied="r1")
    cache.drop(VARIANTS, KEY, 9)
    assert (await deployments.of(ROLLOUT).pools())["aks-v1"][Pool.MAIN].revision == "r1", "it goes with its variant"


async def test_strange_and_leaving_deployments_are_no_pools(deployments, cache):
    place(cache, deletionTimestamp="2026-01-01T00:00:00Z")
    cache.put(DEPLOYMENTS, deployment(2, name="x", labels={**LABELS, "pitwall.dev/pool": "blue"}))
    cache.put(DEPLOYMENTS, deployment(3, name="y", labels={"pitwall.dev/pool": "main", ROLLOUT_LABEL: "sampler"}))

    assert await deployments.of(ROLLOUT).pools() == {}


@pytest.mark.parametrize(
    ("more", "words"),
    [
        pytest.param(
            {"ownerReferences": [{"controller": True, "uid": "u-x", "kind": "Helm", "name": "old"}]},
            "Deployment 'aks-v1' belongs to Helm 'old'; give SamplerVariant 'aks-v1' another name",
            id="somebody elses",
        ),
        pytest.param(
            {"labels": {**LABELS, ROLLOUT_LABEL: "other"}},
            "Deployment 'aks-v1' is run by Rollout 'other'; a variant has one Rollout",
            id="another rollouts",
        ),
    ],
)
async def test_a_name_that_is_taken_is_not_fought_for(deployments, cache, api, more, words):
    asks = {"variantRef": {"name": "aks-v1"}}
    cache.put(ROLLOUTS, {"metadata": {"namespace": "shop", "name": "other", "resourceVersion": "1"}, "spec": asks})
    place(cache, **more)

    with pytest.raises(KubeRefusedError, match=re.escape(words)):
        await deployments.of(ROLLOUT).run(variant(), "r1", Pool.MAIN, 1)
    assert api.calls == []


def writes(api) -> list[str]:
    return [target for method, target in api.asked() if method != "GET"]


@pytest.mark.parametrize("kind", [DEPLOYMENTS, SERVICES, BUDGETS], ids=lambda kind: kind.name)
@pytest.mark.parametrize(
    ("more", "whose"),
    [
        pytest.param({}, "is not Pitwall's", id="of nobody known"),
        pytest.param({"managedFields": [THEIRS]}, "is not Pitwall's (kubectl-edit made it)", id="made by kubectl"),
        pytest.param({"labels": {"app.kubernetes.io/managed-by": "pitwall"}}, "is not Pitwall's", id="half labelled"),
        pytest.param({"labels": {**LABELS, "pitwall.dev/variant": "b"}}, "is not Pitwall's", id="another variants"),
        pytest.param(
            {"ownerReferences": [{"controller": True, "uid": "u-x", "kind": "Gateway", "name": "web"}]},
            "belongs to Gateway 'web'", id="a controllers",
        ),
    ],
)  # fmt: skip
async def test_what_bears_a_pools_name_and_is_of_others_is_neither_written_nor_deleted(
    deployments, api, kind, more, whose
):
    """It has not our label, so no watch brings it."""
    declared = variant()
    serve(api, revision_of(declared))
    api.on("GET", kind.path(*KEY), 200, {"metadata": {"namespace": "shop", "name": "aks-v1", "uid": "u9", **more}})
    words = re.escape(f"{kind.name} 'aks-v1' {whose}; give SamplerVariant 'aks-v1' another name")

    with pytest.raises(KubeRefusedError, match=words):
        await deployments.of(ROLLOUT).run(declared, revision_of(declared), Pool.MAIN, 1)
    with pytest.raises(KubeRefusedError, match=words):
        await deployments.of(ROLLOUT).drain("aks-v1", Pool.MAIN)
    assert writes(api) == []


async def test_what_is_of_others_stays_and_the_rest_of_the_pool_goes(deployments, cache, api):
    place(cache)
    cache.drop(SERVICES, KEY, 5)
    api.on("GET", SERVICES.path(*KEY), 200, {"metadata": {"namespace": "shop", "name": "aks-v1", "uid": "u9"}})

    with pytest.raises(KubeRefusedError, match="Service 'aks-v1' is not Pitwall's"):
        await deployments.of(ROLLOUT).drain("aks-v1", Pool.MAIN)
    assert writes(api) == [BUDGETS.path(*KEY), DEPLOYMENTS.path(*KEY)]
    assert all(body["preconditions"] == {"uid": "u1"} for _, _, body in api.calls if body)


@pytest.mark.parametrize(
    ("more", "ours"),
    [
        pytest.param({"labels": {}}, True, id="somebody took its labels away"),
        pytest.param({"ownerReferences": []}, True, id="its variant was deleted without it, and made anew"),
        pytest.param({"labels": {}, "ownerReferences": []}, False, id="applied under our field manager's name"),
    ],
)
async def test_an_object_is_ours_by_its_controller_or_its_labels_and_not_by_a_field_managers_name(
    deployments, api, more, ours
):
    declared = variant()
    serve(api, revision_of(declared))
    api.on("GET", SERVICES.path(*KEY), 200, {"metadata": head(**more)})
    if ours:
        await deployments.of(ROLLOUT).run(declared, revision_of(declared), Pool.MAIN, 1)
    else:
        with pytest.raises(KubeRefusedError, match=r"Service 'aks-v1' is not Pitwall's \(pitwall-operator made it\)"):
            await deployments.of(ROLLOUT).run(declared, revision_of(declared), Pool.MAIN, 1)

    assert len(writes(api)) == (5 if ours else 0)


COPIED = {"name": "zzz-aks-v1", "uid": "u2"}


@pytest.mark.parametrize(
    "more",
    [
        pytest.param(COPIED, id="with our variant as its controller"),
        pytest.param({**COPIED, "ownerReferences": []}, id="with no controller"),
        pytest.param({**COPIED, "labels": {**LABELS, "pitwall.dev/variant": "zzz"}}, id="with another variant's label"),
        pytest.param({"name": "aks-v1-control", "uid": "u2"}, id="under another pool's name"),
    ],
)
async def test_who_carries_a_pools_labels_under_another_name_is_no_pool(deployments, cache, more):
    """Its pods are nobody's we made: else users would go to a candidate without one ready pod."""
    cache.put(DEPLOYMENTS, deployment(2, ready=5, replicas=5, **more))
    assert await deployments.of(ROLLOUT, ["aks-v1", "zzz"]).pools() == {}
    place(cache, version=3)
    cache.put(DEPLOYMENTS, deployment(4, ready=5, replicas=5, **more))

    assert await deployments.of(ROLLOUT).pools() == {"aks-v1": {Pool.MAIN: PoolSeen("r1", 1, 1)}}


@pytest.mark.parametrize(
    ("holders", "words"),
    [
        pytest.param(
            [{**OWNER, "uid": "earlier"}], "goes with a SamplerVariant 'aks-v1' that was deleted", id="earlier"
        ),
        pytest.param([{**OWNER, "name": "dpp"}], "belongs to SamplerVariant 'dpp'", id="another variant's"),
    ],
)
async def test_pods_that_another_variant_controls_are_not_counted_nor_run(deployments, cache, api, holders, words):
    declared = variant()
    serve(api, revision_of(declared))
    place(cache, ownerReferences=holders)
    seen = await deployments.of(ROLLOUT).pools()

    assert [(pool.revision, pool.ready) for pools in seen.values() for pool in pools.values()] in ([], [("", 0)])
    with pytest.raises(KubeRefusedError, match=words):
        await deployments.of(ROLLOUT).run(declared, revision_of(declared), Pool.MAIN, 1)
    assert writes(api) == []


async def test_what_a_rollout_that_is_gone_left_is_seen_by_whoever_asks_for_its_variant(deployments, cache, api):
    """Under its own label it would be no pool of a Rollout of another name, which would take the declared revision for
    what serves."""
    place(cache, labels={**LABELS, ROLLOUT_LABEL: "former"})
    anew = deployments.of(ROLLOUT, ["aks-v1"])
    assert await anew.pools() == {"aks-v1": {Pool.MAIN: PoolSeen("", 1, 1, applied="r1")}}
    assert await deployments.of(ROLLOUT, ["dpp"]).pools() == {}

    asks = {"variantRef": {"name": "aks-v1"}}
    cache.put(ROLLOUTS, {"metadata": {"namespace": "shop", "name": "former", "resourceVersion": "8"}, "spec": asks})
    assert await anew.pools() == {}
    cache.drop(ROLLOUTS, ("shop", "former"), 9)
    declared = variant()
    serve(api, revision_of(declared))
    await anew.run(declared, revision_of(declared), Pool.MAIN, 1)
    assert (await anew.pools())["aks-v1"][Pool.MAIN].revision == revision_of(declared), "its own from now on"


async def test_a_rollouts_label_that_somebody_wrote_on_a_pool_gives_it_to_nobody(deployments, cache, api):
    """It once made a Rollout that never named the variant delete its pods, which served everybody."""
    place(cache, labels={**LABELS, ROLLOUT_LABEL: "other"})
    for version, (name, asked) in enumerate([("sampler", "aks-v1"), ("other", "dpp")], start=5):
        head = {"namespace": "shop", "name": name, "resourceVersion": str(version)}
        cache.put(ROLLOUTS, {"metadata": head, "spec": {"variantRef": {"name": asked}}})

    for known in (["dpp"], ["dpp", "aks-v1"]):  # it served there once
        assert await deployments.of(("shop", "other"), known).pools() == {}
    own = deployments.of(ROLLOUT, ["aks-v1"])
    assert await own.pools() == {"aks-v1": {Pool.MAIN: PoolSeen("", 1, 1, applied="r1")}}
    declared = variant()
    serve(api, revision_of(declared))
    await own.run(declared, revision_of(declared), Pool.MAIN, 1)
    assert api.calls[-1][2]["metadata"]["labels"][ROLLOUT_LABEL] == "sampler"


async def test_what_pods_run_is_told_by_their_template_whatever_the_deployments_label_says(deployments, cache):
    place(cache)
    template = {"metadata": {"labels": {"pitwall.dev/revision": "r0"}}}
    relabelled = deployment(5)
    cache.put(DEPLOYMENTS, {**relabelled, "spec": {**relabelled["spec"], "template": template}})

    assert (await deployments.of(ROLLOUT).pools())["aks-v1"][Pool.MAIN].revision == "r0"


@pytest.mark.parametrize("kind", [DEPLOYMENTS, SERVICES, BUDGETS], ids=lambda kind: kind.name)
async def test_what_leaves_is_waited_for_and_its_holder_named_and_nothing_is_written(deployments, cache, api, kind):
    declared = variant()
    serve(api, revision_of(declared))
    place(cache)
    held = head(7, deletionTimestamp="2026-01-01T00:00:00Z", finalizers=["example.org/x\x1b", "example.org/y"])
    cache.put(kind, {"metadata": held, "spec": {}})
    words = (
        f"{kind.name} 'aks-v1' was deleted and is held by finalizer example.org/x\\x1b, example.org/y; "
        "it is made anew once it is gone"
    )

    with pytest.raises(KubeRefusedError, match=re.escape(words)):
        await deployments.of(ROLLOUT).run(declared, revision_of(declared), Pool.MAIN, 1)
    assert writes(api) == []


@pytest.mark.parametrize("kind", [SERVICES, BUDGETS], ids=lambda kind: kind.name)
async def test_a_pool_of_which_a_part_leaves_asks_for_nothing_until_that_is_gone(deployments, cache, api, kind):
    place(cache)
    cache.put(kind, {"metadata": head(7, deletionTimestamp="2026-01-01T00:00:00Z", finalizers=["example.org/x"])})
    seen = (await deployments.of(ROLLOUT).pools())["aks-v1"][Pool.MAIN]

    assert (seen.revision, seen.desired, seen.ready) == ("r1", 1, 1)
    assert seen.refusal == f"{kind.name} 'aks-v1' was deleted and is held by finalizer example.org/x; " + (
        "it is made anew once it is gone"
    )
    await deployments.of(ROLLOUT).drain("aks-v1", Pool.MAIN)
    assert kind.path(*KEY) not in writes(api), "it is on its way"

    cache.drop(kind, KEY, 8)
    assert (await deployments.of(ROLLOUT).pools())["aks-v1"][Pool.MAIN].revision == ""


async def test_a_pool_whose_rollout_is_gone_may_be_taken_over(deployments, cache, api):
    place(cache, labels={**LABELS, ROLLOUT_LABEL: "gone"})
    declared = variant()
    serve(api, revision_of(declared))
    await deployments.of(ROLLOUT).run(declared, revision_of(declared), Pool.MAIN, 1)

    assert api.calls[-1][2]["metadata"]["labels"][ROLLOUT_LABEL] == "sampler"


async def test_a_variant_that_is_gone_cannot_be_run(deployments, cache):
    cache.drop(VARIANTS, KEY, 5)

    with pytest.raises(KubeNotFoundError, match="SamplerVariant 'aks-v1' does not exist in namespace 'shop'"):
        await deployments.of(ROLLOUT).run(variant(), "r1", Pool.MAIN, 1)


async def test_draining_deletes_the_budget_first_and_forgets(deployments, cache, api):
    place(cache)
    assert deployments.is_as_applied(DEPLOYMENTS, KEY)
    await deployments.of(ROLLOUT).drain("aks-v1", Pool.MAIN)

    assert [target.rsplit("/", 2)[-2] for _, target in api.asked()] == [
        "poddisruptionbudgets",
        "deployments",
        "services",
    ]
    assert (DEPLOYMENTS, KEY) not in deployments.applied


async def test_pods_that_are_not_ready_are_asked_now_and_then(deployments, cache, api, now):
    place(cache, ready=0)
    pods = PODS.path("shop")
    waiting = {"state": {"waiting": {"reason": "ErrImagePull"}}}
    pod = {"metadata": {"name": "p"}, "status": {"containerStatuses": [waiting]}}
    api.on("GET", pods, 200, {"metadata": {}, "items": [pod]})
    seen = [await deployments.of(ROLLOUT).pools() for _ in range(3)]

    assert {one["aks-v1"][Pool.MAIN].trouble for one in seen} == {"pod p: ErrImagePull"}
    assert len(api.calls) == 1
    now[0] += PODS_SECONDS
    api.on("GET", pods, 403, {"message": "forbidden"})
    assert (await deployments.of(ROLLOUT).pools())["aks-v1"][Pool.MAIN].trouble == "pod p: ErrImagePull"
    cache.put(DEPLOYMENTS, deployment(2, ready=1))
    assert (await deployments.of(ROLLOUT).pools())["aks-v1"][Pool.MAIN].trouble == ""


@pytest.mark.parametrize(
    ("generation", "observed", "counts", "ready"),
    [
        pytest.param(1, 0, (0, 0, 0), 0, id="just made"),
        pytest.param(2, 1, (3, 3, 3), 0, id="not yet looked at"),
        pytest.param(1, 1, (3, 3, 2), 2, id="one still loads"),
        pytest.param(1, 1, (4, 1, 3), 0, id="the ready ones may all be old"),
        pytest.param(1, 1, (4, 2, 3), 1, id="one at least is new"),
        pytest.param(1, 1, (2, 2, 9), 2, id="never more than there are"),
    ],
)
def test_only_pods_that_are_surely_of_the_new_template_count(generation, observed, counts, ready):
    status = dict(zip(("replicas", "updatedReplicas", "readyReplicas"), counts, strict=True))
    found = {"metadata": {"generation": generation}, "status": {"observedGeneration": observed, **status}}

    assert ready_replicas(found) == ready


def test_a_deployment_without_a_status_has_nothing_ready():
    assert ready_replicas({"metadata": {"generation": 1}}) == 0


@pytest.mark.parametrize(
    ("conditions", "words"),
    [
        pytest.param([], "", id="nothing said"),
        pytest.param([{"type": "Progressing", "status": "True"}], "", id="it is getting on"),
        pytest.param([{"type": "Available", "status": "False"}], "", id="what matters elsewhere"),
        pytest.param([{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "m"}],
                     "ProgressDeadlineExceeded: m", id="it is not getting on"),
        pytest.param([{"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "quota"}],
                     "FailedCreate: quota", id="pods cannot be made"),
        pytest.param([{"type": "ReplicaFailure", "status": "True"}], ": ", id="without a word"),
    ],
)  # fmt: skip
def test_what_a_deployment_says_of_itself(conditions, words):
    assert trouble({"status": {"conditions": conditions}}) == words

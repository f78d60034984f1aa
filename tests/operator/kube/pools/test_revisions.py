"""What is kept of a variant's revisions: what something needs and the last few, with the image that each began with."""

from typing import Any

import pytest

from pitwall_crds.variant.variant import SamplerVariant
from pitwall_operator.kube.cache import Cache
from pitwall_operator.kube.client import CONFIG_MAPS, REVISIONS, ROLLOUTS, VARIANTS
from pitwall_operator.kube.pools.manifests import Owner
from pitwall_operator.kube.pools.revisions import KeptSpecs, Revisions, kept_spec
from pitwall_operator.values.errors import KubeRefusedError

OWNER = Owner("shop", "aks-v1", "u-aks", "sampler")
MADE = {"ownerReferences": [{"controller": True, "kind": "SamplerVariant", "name": "aks-v1", "uid": "u-aks"}]}
ALL, NEWEST = REVISIONS.path("shop"), REVISIONS.path("shop", "aks-v1-new")


def variant(generation: int = 1) -> SamplerVariant:
    head = {"name": "aks-v1", "namespace": "shop", "uid": "u-aks", "generation": generation}
    return SamplerVariant.model_validate({"metadata": head, "spec": {"sampler": {"name": "aks"}}})


@pytest.fixture
def cache() -> Cache:
    return Cache()


@pytest.fixture
async def revisions(kube, cache) -> Revisions:
    return Revisions(kube, cache, ("shop", "sampler"), "runtime:1", lambda: {"old3"})


@pytest.fixture
def api_that_keeps(api):
    """It takes every new revision as it was sent."""
    api.answers[("POST", ALL)] = lambda body: (200, body)
    return api


def kept(number: int) -> dict[str, Any]:
    head = {"namespace": "shop", "name": f"aks-v1-old{number}", "creationTimestamp": f"2026-01-0{number + 1}"}
    return {"metadata": {**head, **MADE, "uid": f"u{number}", "labels": {"pitwall.dev/revision": f"old{number}"}}}


async def test_old_revisions_go_but_what_is_needed_and_the_last_five_stay(revisions, cache, api_that_keeps):
    stored = {"namespace": "shop", "name": "sampler", "resourceVersion": "1"}
    cache.put(ROLLOUTS, {"metadata": stored, "spec": {}, "status": {"stableRevision": "old1"}})
    listed = [kept(number) for number in reversed(range(9))]
    for number in (0, 2):
        api_that_keeps.on("PATCH", CONFIG_MAPS.path("shop", f"aks-v1-old{number}"), 200, {"metadata": {"uid": "f"}})
    api_that_keeps.on("GET", ALL, 200, {"metadata": {}, "items": listed})
    await revisions.image(OWNER, variant(generation=9), "new", probably_new=True)

    gone = [target.rsplit("/", 1)[-1] for method, target in api_that_keeps.asked() if method == "DELETE"]
    assert gone == ["aks-v1-old0", "aks-v1-old0", "aks-v1-old2", "aks-v1-old2"]
    deleted = [body["preconditions"]["uid"] for method, _, body in api_that_keeps.calls if method == "DELETE"]
    assert deleted == ["f", "u0", "f", "u2"], "these, and no others of their names"


async def test_what_others_made_under_the_names_of_old_revisions_stays(revisions, api_that_keeps):
    foreign = [{"metadata": {**kept(number)["metadata"], "ownerReferences": []}} for number in range(9)]
    mine = [kept(number) for number in range(6)]
    api_that_keeps.on("GET", ALL, 200, {"metadata": {}, "items": [*foreign, *mine]})
    api_that_keeps.on("PATCH", CONFIG_MAPS.path("shop", "aks-v1-old0"), 422, {"message": "testing value failed"})
    await revisions.image(OWNER, variant(generation=9), "new", probably_new=True)

    gone = [target for method, target in api_that_keeps.asked() if method == "DELETE"]
    assert gone == [REVISIONS.path("shop", "aks-v1-old0")], "its own, and the foreign file of that name stays"


async def test_old_revisions_that_cannot_be_listed_stay_and_the_new_one_is_run(revisions, api_that_keeps, caplog):
    api_that_keeps.on("GET", ALL, 403, {"message": "forbidden"})

    assert await revisions.image(OWNER, variant(generation=9), "new", probably_new=True) == "runtime:1"
    assert "old revisions of shop/aks-v1 stay" in caplog.text


async def test_a_kept_revision_without_an_image_is_said_to_be_one(revisions, api):
    api.on("POST", ALL, 409, {"message": "exists"})
    api.on("GET", NEWEST, 200, {"metadata": MADE})

    with pytest.raises(KubeRefusedError, match="names no image: delete it, and it is made anew"):
        await revisions.image(OWNER, variant(), "new", probably_new=True)


async def test_a_kept_spec_comes_back_as_it_was_or_not_at_all(kube, api):
    declared = variant()
    api.on(
        "GET", REVISIONS.path("shop", "aks-v1-r1"), 200, {"metadata": MADE, "data": {"spec": declared.to_manifest()}}
    )

    assert (await kept_spec(kube, "shop", "aks-v1", "r1")).spec == declared.spec
    assert await kept_spec(kube, "shop", "aks-v1", "r2") is None
    assert await kept_spec(kube, "shop", "aks-v1", "r1", "u-another") is None
    api.on("GET", REVISIONS.path("shop", "aks-v1-r1"), 200, {"metadata": {}, "data": {"spec": declared.to_manifest()}})
    assert await kept_spec(kube, "shop", "aks-v1", "r1") is None


async def test_what_was_read_of_a_variant_that_is_gone_is_not_believed_of_the_next_one_of_its_name(kube, cache, api):
    kept = {"metadata": MADE, "data": {"spec": variant().to_manifest()}}
    api.on("GET", REVISIONS.path("shop", "aks-v1-r1"), 200, kept)
    specs = KeptSpecs(kube, cache)
    assert await specs.of(("shop", "aks-v1"), "r1") is not None

    anew = {"namespace": "shop", "name": "aks-v1", "uid": "u-anew", "resourceVersion": "1"}
    cache.put(VARIANTS, {"metadata": anew, "spec": {}})
    assert await specs.of(("shop", "aks-v1"), "r1") is None


async def test_a_kept_spec_is_read_once(kube, cache, api):
    kept = {"metadata": MADE, "data": {"spec": variant().to_manifest()}}
    api.on("GET", REVISIONS.path("shop", "aks-v1-r1"), 200, kept)
    specs = KeptSpecs(kube, cache)

    assert await specs.of(("shop", "aks-v1"), "r1") == await specs.of(("shop", "aks-v1"), "r1")
    assert len(api.asked()) == 1

"""What deleted rollouts left comes to rest, whatever one flag, pool or round of the sweep does."""

from typing import Any

import pytest

from pitwall_crds.host.backoff import Backoff
from pitwall_flags.errors import FlagsUnreachableError
from pitwall_flags.flag.document import OWNER, ArmShare, shadow_document, split_document
from pitwall_flags.flag.record import FlagRecord
from pitwall_operator.decision.permission.ownership import FlagPrefixes
from pitwall_operator.decision.permission.runnable import Known
from pitwall_operator.kube.client import DEPLOYMENTS, ROLLOUTS

A = ("shop", "a")
MOVES = {"weights": [{"arm": "stable", "variant": "uniform", "basisPoints": 10_000}]}


def marked(found: dict[str, Any], version: int) -> dict[str, Any]:
    """Deleted, and still there for the sake of somebody's finalizer."""
    gone = {"deletionTimestamp": "2026-01-02T00:00:00Z", "finalizers": ["example.org/wait"]}
    return {**found, "metadata": found["metadata"] | gone | {"resourceVersion": str(version)}}


@pytest.mark.parametrize("with_finalizer", [False, True], ids=["gone", "waiting for a finalizer"])
async def test_a_deleted_rollouts_users_go_back_and_its_idle_pods_go(world, with_finalizer):
    shares = [ArmShare("candidate", "aks", 1000), ArmShare("stable", "uniform", 9000)]
    document = {**split_document(shares, salt="s"), "metadata": {OWNER: "shop/a"}}
    world.kube.items["rollouts"] = [world.rollout("a")]
    labels = {"pitwall.dev/rollout": "a", "pitwall.dev/variant": "aks", "pitwall.dev/pool": "main"}
    metadata = {"namespace": "shop", "name": "aks", "uid": "u", "resourceVersion": "3", "labels": labels}
    world.kube.items["deployments"] = [{"metadata": metadata, "spec": {"replicas": 1}}]
    world.flags.records = [FlagRecord("a", document, 4)]
    async with world.running():
        world.leading.set()
        await world.until(lambda: world.reconciler.taken[A])
        assert world.flags.written == []
        if with_finalizer:
            world.reconciler.outcomes[A] = [None]
            world.controller.changed(ROLLOUTS, marked(world.rollout("a"), 200))
        else:
            world.controller.deleted(ROLLOUTS, world.rollout("a", 200))
        await world.until(lambda: world.flags.written == ["a"])
        await world.until(lambda: world.reconciler.drained == [("aks", "main")])
    assert world.cache.get(DEPLOYMENTS, ("shop", "aks")) is not None


@pytest.mark.parametrize("deletion_seen", [False, True], ids=["nobody saw it go", "it was seen to go"])
async def test_the_users_of_a_former_flag_go_back_when_its_rollout_was_made_anew_with_another(world, deletion_seen):
    shares = [ArmShare("candidate", "aks", 1000), ArmShare("stable", "uniform", 9000)]
    document = {**split_document(shares, salt="s"), "metadata": {OWNER: "shop/a"}}
    world.kube.items["rollouts"] = [world.rollout("a")]
    world.flags.records = [FlagRecord("a", document, 4)]
    async with world.running():
        world.leading.set()
        await world.until(lambda: world.reconciler.taken[A])
        world.flags.fault = FlagsUnreachableError("away")
        if deletion_seen:
            world.controller.deleted(ROLLOUTS, world.rollout("a", 200))
        anew = world.rollout("a", 201, flag="b")
        world.controller.changed(ROLLOUTS, {**anew, "metadata": anew["metadata"] | {"uid": "anew"}})
        assert world.flags.written == []
        world.flags.fault = None
        await world.until(lambda: world.flags.written == ["a"])


async def test_a_sweep_that_breaks_is_begun_again_and_makes_the_process_unhealthy_until_it_goes_well(world):
    world.kube.items["rollouts"] = [world.rollout("a")]
    world.controller.background.again = Backoff(0.001, 0.001)
    world.flags.fault = ZeroDivisionError("no such sweep")
    async with world.running():
        world.leading.set()
        await world.until(world.controller.background.trouble)
        assert "sweep failed" in world.controller.background.trouble()
        assert "no such sweep" in world.controller.background.trouble()
        world.flags.fault = None
        await world.until(lambda: not world.controller.background.trouble())
    assert world.controller.background.trouble() == ""


class Unreadable(dict[str, Any]):
    """Metadata at which reading breaks, whatever is read."""

    def get(self, *_: Any) -> Any:
        raise ZeroDivisionError("nobody thought of this")


async def test_a_flag_at_which_the_sweep_breaks_holds_up_no_other_and_is_logged_once(world, caplog):
    shares = [ArmShare("candidate", "aks", 1000), ArmShare("stable", "uniform", 9000)]
    document = {**split_document(shares, salt="s"), "metadata": {OWNER: "shop/gone"}}
    broken = {**document, "metadata": Unreadable({OWNER: "shop/gone"})}
    world.flags.records = [FlagRecord("broken", broken, 1), FlagRecord("good", document, 4)]
    async with world.running():
        world.leading.set()
        await world.until(lambda: "good" in world.flags.written)
        world.flags.records.append(FlagRecord("later", document, 4))
        world.controller.deleted(ROLLOUTS, world.rollout("a", 1))
        world.controller._sweep_soon.set()
        await world.until(lambda: "later" in world.flags.written)
        assert world.controller.background.trouble() == ""
    assert [record.message for record in caplog.records if record.exc_info] == [
        "flag broken: this broke, and is left as it is; the others go on"
    ]


async def test_pods_are_drained_though_the_flag_of_another_deleted_rollout_cannot_be_brought_to_rest(world):
    moving = split_document([ArmShare("candidate", "dpp", 1000), ArmShare("stable", "uniform", 9000)], salt="s")
    resting = split_document([ArmShare("stable", "uniform", 10_000)], salt="s")
    world.flags.records = [
        FlagRecord("refused", {**moving, "metadata": {OWNER: "shop/gone"}}, 4),
        FlagRecord("resting", {**resting, "metadata": {OWNER: "shop/a"}}, 4),
    ]
    world.flags.refused = {"refused"}
    labels = {"pitwall.dev/rollout": "a", "pitwall.dev/variant": "aks", "pitwall.dev/pool": "main"}
    metadata = {"namespace": "shop", "name": "aks", "uid": "u", "resourceVersion": "3", "labels": labels}
    world.kube.items["deployments"] = [{"metadata": metadata, "spec": {"replicas": 1}}]
    async with world.running():
        world.leading.set()
        await world.until(lambda: world.reconciler.drained == [("aks", "main")])


async def test_a_flag_that_claims_a_rollout_of_a_namespace_that_may_not_have_it_drains_nothing_there(world):
    resting = split_document([ArmShare("stable", "x", 10_000)], salt="s")
    moving = split_document([ArmShare("candidate", "x", 1000), ArmShare("stable", "y", 9000)], salt="s")
    world.reconciler.known = Known(prefixes=FlagPrefixes({"evil": ("evil.",), "shop": ("shop.",)}))
    world.flags.records = [
        FlagRecord("evil.y", {**resting, "metadata": {OWNER: "shop/a"}}, 1),
        FlagRecord("evil.z", {**moving, "metadata": {OWNER: "shop/a"}}, 1),
        FlagRecord("shop.b", {**resting, "metadata": {OWNER: "shop/b"}}, 1),
        FlagRecord("shop.b.shadow", {**shadow_document("aks", 5, salt="s"), "metadata": {OWNER: "shop/b"}}, 1),
    ]
    for name in ("a", "b"):
        labels = {"pitwall.dev/rollout": name, "pitwall.dev/variant": f"aks-{name}", "pitwall.dev/pool": "main"}
        metadata = {"namespace": "shop", "name": f"aks-{name}", "uid": name, "resourceVersion": "3", "labels": labels}
        world.kube.items.setdefault("deployments", []).append({"metadata": metadata, "spec": {"replicas": 1}})
    async with world.running():
        world.leading.set()
        await world.until(lambda: len(world.flags.written) > 1)
        world.controller._sweep_soon.set()
        await world.until(lambda: world.reconciler.drained)
    assert sorted(set(world.flags.written)) == ["evil.z", "shop.b.shadow"]
    assert world.reconciler.drained == [("aks-b", "main")]


async def test_users_of_a_flag_whose_prefix_is_anothers_by_now_go_back_unless_somebody_moves_it(world):
    """The prefix was bound while the flag was moved; its rollout was deleted, or made anew with another flag."""
    moving = split_document([ArmShare("candidate", "aks", 1000), ArmShare("stable", "uniform", 9000)], salt="s")
    resting = split_document([ArmShare("stable", "dpp", 10_000)], salt="s")
    copies = shadow_document("aks", 5, salt="s")
    world.reconciler.known = Known(prefixes=FlagPrefixes({"search": ("search.",)}))
    moves = {**world.rollout("moves", flag="search.moved"), "status": MOVES}
    world.kube.items["rollouts"] = [world.rollout("a", flag="a"), moves]
    world.flags.records = [
        FlagRecord("search.a", {**moving, "metadata": {OWNER: "shop/a"}}, 1),
        FlagRecord("search.gone", {**moving, "metadata": {OWNER: "shop/gone"}}, 1),
        FlagRecord("search.gone.shadow", {**copies, "metadata": {OWNER: "shop/gone"}}, 1),
        FlagRecord("search.moved", {**moving, "metadata": {OWNER: "shop/gone"}}, 1),
        FlagRecord("search.moved.shadow", {**copies, "metadata": {OWNER: "shop/gone"}}, 1),
        FlagRecord("gone", {**resting, "metadata": {OWNER: "shop/gone"}}, 1),
    ]
    for variant in ("uniform", "topk"):
        labels = {"pitwall.dev/rollout": "gone", "pitwall.dev/variant": variant, "pitwall.dev/pool": "main"}
        metadata = {"namespace": "shop", "name": variant, "uid": variant, "resourceVersion": "3", "labels": labels}
        world.kube.items.setdefault("deployments", []).append({"metadata": metadata, "spec": {"replicas": 1}})
    async with world.running():
        world.leading.set()
        await world.until(lambda: len(world.flags.written) > 2)
        world.controller._sweep_soon.set()
        await world.until(lambda: world.reconciler.drained)
    assert sorted(set(world.flags.written)) == ["search.a", "search.gone", "search.gone.shadow"]
    assert world.reconciler.drained == [("topk", "main")], "uniform is sent the users of search.gone"


@pytest.mark.parametrize(
    ("namespace", "status"),
    [
        pytest.param("evil", {}, id="of another namespace"),
        pytest.param("evil", MOVES, id="of another namespace, which may not have it, whatever its status says"),
        pytest.param("shop", {}, id="of the namespace that had it, which is refused it by now"),
        pytest.param("search", {}, id="of the namespace that may have it, and has no users of it yet"),
    ],
)
async def test_a_rollout_that_merely_names_a_flag_whose_prefix_is_anothers_keeps_it_from_no_rest(
    world, namespace, status
):
    moving = split_document([ArmShare("candidate", "aks", 5000), ArmShare("stable", "uniform", 5000)], salt="s")
    world.reconciler.known = Known(prefixes=FlagPrefixes({"search": ("search.",)}))
    names = {**world.rollout("names", flag="search.gone"), "status": status}
    names["metadata"]["namespace"] = namespace
    world.kube.items["rollouts"] = [names]
    world.flags.records = [FlagRecord("search.gone", {**moving, "metadata": {OWNER: "shop/gone"}}, 1)]
    async with world.running():
        world.leading.set()
        await world.until(lambda: "search.gone" in world.flags.written)


async def test_a_flag_that_cannot_be_brought_to_rest_holds_up_no_other(world):
    shares = [ArmShare("candidate", "aks", 1000), ArmShare("stable", "uniform", 9000)]
    document = {**split_document(shares, salt="s"), "metadata": {OWNER: "shop/gone"}}
    odd = {**document, "metadata": [OWNER]}
    world.flags.records = [
        FlagRecord("odd", odd, 1),
        FlagRecord("refused", document, 4),
        FlagRecord("good", document, 4),
    ]
    world.flags.refused = {"refused"}
    async with world.running():
        world.leading.set()
        await world.until(lambda: "good" in world.flags.written)

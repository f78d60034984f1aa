"""Lists of the API server: what they lack is gone from the cache, and what cannot be read holds up nothing else."""

from pitwall_operator.kube.client import ROLLOUTS

A, B = ("shop", "a"), ("shop", "b")


async def test_what_was_deleted_while_nobody_watched_is_forgotten(world):
    world.controller.changed(ROLLOUTS, world.rollout("ghost", 5))
    world.kube.items["rollouts"] = [world.rollout("a")]
    async with world.running():
        world.leading.set()
        await world.until(lambda: world.reconciler.taken[A])
    assert world.cache.get(ROLLOUTS, ("shop", "ghost")) is None
    assert not world.reconciler.taken[("shop", "ghost")]


async def test_an_object_at_which_the_operator_breaks_keeps_nobody_else_from_being_listed(world):
    unversioned = {**world.rollout("a"), "metadata": {"namespace": "shop", "name": "a", "resourceVersion": "new"}}
    world.kube.items["rollouts"] = [unversioned, world.rollout("b")]
    async with world.running():
        world.leading.set()
        await world.until(lambda: world.reconciler.taken[B])


async def test_what_the_watches_missed_is_found_by_a_comparison(world):
    world.reconciler.resync_seconds = 0.01
    world.kube.items["rollouts"] = [world.rollout("ghost", 5)]
    async with world.running():
        world.leading.set()
        await world.until(lambda: world.reconciler.taken[("shop", "ghost")])
        world.kube.items["rollouts"] = [world.rollout("a")]
        await world.until(lambda: world.reconciler.taken[A])
        await world.until(lambda: world.cache.get(ROLLOUTS, ("shop", "ghost")) is None)

"""The controller with ports of the test's own: nothing is acted on without the lease, nothing stops the queue."""

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml

from pitwall_operator.kube.client import ROLLOUTS, VARIANTS
from pitwall_operator.values.errors import KubeUnreachableError, OvertakenError, TurnFailedError

A, B = ("shop", "a"), ("shop", "b")


async def test_without_the_lease_nothing_is_done_and_with_it_everything_is_looked_at(world):
    world.kube.items["rollouts"] = [world.rollout("a"), world.rollout("b")]
    async with world.running():
        world.controller.changed(ROLLOUTS, world.rollout("a"))
        with suppress(TimeoutError):
            await asyncio.wait_for(world.until(lambda: world.reconciler.taken), 0.1)
        assert not world.reconciler.taken
        world.leading.set()
        await world.until(lambda: world.reconciler.taken[A] and world.reconciler.taken[B])


async def test_who_loses_the_lease_stops_and_who_regains_it_looks_at_everything_again(world):
    world.kube.items["rollouts"] = [world.rollout("a")]
    async with world.running():
        world.leading.set()
        await world.until(lambda: world.reconciler.taken[A])
        world.leading.clear()
        await world.until(lambda: not world.controller.leading)
        taken = world.reconciler.taken[A]
        world.controller.changed(ROLLOUTS, world.rollout("a", 7))
        assert world.reconciler.taken[A] == taken
        world.leading.set()
        await world.until(lambda: world.reconciler.taken[A] > taken)


@pytest.mark.parametrize(
    "trouble",
    [
        TurnFailedError("the flag service is away"),
        OvertakenError("conflict"),
        KubeUnreachableError("away"),
        ZeroDivisionError("bug"),
    ],
    ids=lambda trouble: type(trouble).__name__,
)
async def test_a_turn_that_fails_is_repeated_and_the_others_go_on(world, trouble):
    world.kube.items["rollouts"] = [world.rollout("a"), world.rollout("b")]
    world.reconciler.outcomes[A] = [trouble]
    async with world.running():
        world.leading.set()
        await world.until(lambda: world.reconciler.taken[A] == 2 and world.reconciler.taken[B] == 1)
    broke = isinstance(trouble, ZeroDivisionError)
    assert world.reconciler.told_broken == ([(A, "bug")] if broke else [])


async def test_news_during_a_turn_brings_another_and_never_a_second_one_at_once(world):
    world.kube.items["rollouts"] = [world.rollout("a")]
    world.reconciler.open.clear()
    async with world.running():
        world.leading.set()
        await world.until(lambda: world.reconciler.running[A])
        for version in range(2, 12):
            world.controller.changed(ROLLOUTS, world.rollout("a", version))
        world.reconciler.open.set()
        await world.until(lambda: world.reconciler.taken[A] == 2)


async def test_no_more_turns_at_once_than_workers(world):
    world.controller.workers = 3
    world.kube.items["rollouts"] = [world.rollout(f"r{number}") for number in range(20)]
    async with world.running():
        world.leading.set()
        await world.until(lambda: world.reconciler.taken.total() == 20)
    assert world.reconciler.most_at_once == 3


async def test_a_changed_variant_wakes_its_rollout_and_a_lone_one_is_described(world):
    world.kube.items["rollouts"] = [world.rollout("a", variant="aks")]
    async with world.running():
        world.leading.set()
        await world.until(lambda: world.reconciler.taken[A] == 1)
        for number, name in enumerate(("aks", "lone")):
            metadata = {"namespace": "shop", "name": name, "uid": name, "resourceVersion": str(50 + number)}
            world.controller.changed(VARIANTS, {"metadata": metadata, "spec": {}})
        await world.until(lambda: world.reconciler.taken[A] == 2 and world.reconciler.described == [("shop", "lone")])


@pytest.fixture
def named(world):
    valid = yaml.safe_load((Path(__file__).parents[4] / "examples" / "rollout-aks.yaml").read_text())

    def made(name: str, version: int, variant: str = "aks", **spec: Any) -> dict[str, Any]:
        head = world.rollout(name, version)["metadata"]
        whole = valid["spec"] | {"flag": name, "variantRef": {"name": variant}} | spec
        return {**valid, "metadata": head, "spec": whole}

    return made


async def test_what_changes_no_claim_of_a_rollout_is_no_news_for_its_rivals(world, named):
    """An annotation, a stage, words of its status: with hundreds of rivals each would bring hundreds of turns."""
    world.kube.items["rollouts"] = [named("a", 1), named("b", 2)]
    async with world.running():
        world.leading.set()
        await world.until(lambda: world.reconciler.taken[A] == 1 and world.reconciler.taken[B] == 1)
        world.controller.changed(ROLLOUTS, named("a", 3, paused=True))
        await world.until(lambda: world.reconciler.taken[A] == 2)
        assert world.reconciler.taken[B] == 1
        world.controller.changed(ROLLOUTS, named("a", 4, variant="dpp"))
        await world.until(lambda: world.reconciler.taken[A] == 3 and world.reconciler.taken[B] == 2)


async def test_what_a_turn_writes_of_its_claims_is_news_for_its_rivals(world, named):
    """No watch tells of it: the cache has it already. A rival once waited for ten minutes for what was free."""
    world.kube.items["rollouts"] = [named("a", 1), named("b", 2)]
    async with world.running():
        world.leading.set()
        await world.until(lambda: world.reconciler.taken[A] == 1 and world.reconciler.taken[B] == 1)
        written = {**named("a", 4, paused=True), "status": {"stableVariant": "aks"}}
        world.reconciler.writes[A] = lambda: world.controller.cache.put(ROLLOUTS, written)
        world.controller.changed(ROLLOUTS, named("a", 3, paused=True))
        await world.until(lambda: world.reconciler.taken[A] == 2 and world.reconciler.taken[B] == 2)


async def test_what_the_operator_may_not_look_at_is_told_on_every_rollout_once_and_by_its_probe(world):
    world.kube.items["rollouts"] = [world.rollout("a"), world.rollout("b")]
    world.kube.forbidden = {"poddisruptionbudgets"}
    world.leading.set()
    async with world.running():
        await world.until(lambda: len(world.reconciler.told) == 2)
        assert "poddisruptionbudgets is forbidden" in world.controller.refused
        world.kube.forbidden.clear()
        await world.until(lambda: world.reconciler.taken[A])

    assert sorted(name for name, _ in world.reconciler.told) == ["a", "b"]
    assert world.controller.refused == ""


async def test_an_api_server_that_is_away_is_asked_again(world):
    world.kube.items["rollouts"] = [world.rollout("a")]
    world.kube.down = True
    async with world.running():
        world.leading.set()
        await world.until(lambda: world.kube.refused > 1)
        world.kube.down = False
        await world.until(lambda: world.reconciler.taken[A])


JUNK = [
    pytest.param({"spec": {"variantRef": "aks", "flag": 7, "experiments": {"a": 1}}}, id="scalars for mappings"),
    pytest.param({"spec": [], "status": "Stable"}, id="lists and words for mappings"),
    pytest.param({"spec": {"experiments": [1, None, {"variantRef": {"name": ["x"]}}]}}, id="entries of no shape"),
    pytest.param({"spec": None, "status": {"experiments": "all", "stableVariant": {}}}, id="nulls"),
]


@pytest.mark.parametrize("content", JUNK)
async def test_an_object_of_no_shape_stops_nobody_else(world, content):
    world.kube.items["rollouts"] = [{**world.rollout("a"), **content}, world.rollout("b")]
    async with world.running():
        world.leading.set()
        await world.until(lambda: world.reconciler.taken[B])
        world.controller.changed(ROLLOUTS, {**world.rollout("a", 7), **content})
        await world.until(lambda: world.reconciler.taken[A] >= 1)

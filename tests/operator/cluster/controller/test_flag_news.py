"""A rollout that rests has a turn as soon as somebody else wrote its flag, or one of its copies' flags."""

import pytest

from pitwall_crds.names import experiment_flag, shadow_flag
from pitwall_flags.errors import FlagsUnreachableError
from pitwall_operator.cluster.controller.flag_news import FlagNews
from pitwall_operator.cluster.tasks import BackgroundTasks
from pitwall_operator.kube.client import ROLLOUTS

A, B = ("shop", "a"), ("shop", "b")


@pytest.mark.parametrize(
    ("written", "woken"),
    [
        pytest.param({"one"}, [{A}], id="its flag"),
        pytest.param({shadow_flag("one")}, [{A}], id="its shadow's"),
        pytest.param(
            {experiment_flag("one", "dpp-v1"), "one.other"}, [{A, B}], id="an experiment's, and another's flag"
        ),
        pytest.param({"nobodys"}, [], id="a flag of no rollout"),
        pytest.param(set(), [], id="none"),
    ],
)
async def test_whose_flag_was_written_by_somebody_else_is_woken_and_no_other(world, written, woken):
    for name, flag in (("a", "one"), ("b", "one.other")):
        world.cache.put(ROLLOUTS, world.rollout(name, flag=flag))
    told: list[frozenset[tuple[str, str]]] = []
    world.flags.news = written

    await FlagNews(world.flags, world.cache, told.append, BackgroundTasks()).once()

    assert told == woken


async def test_a_kill_is_news_for_a_rollout_that_rests_also_after_the_flag_service_was_away(world):
    world.kube.items["rollouts"] = [world.rollout("a", flag="one")]
    world.flags.fault = FlagsUnreachableError("away")
    async with world.running():
        world.leading.set()
        await world.until(lambda: world.reconciler.taken[A] == 1)
        world.flags.fault = None
        world.flags.news = {"one"}
        await world.until(lambda: world.reconciler.taken[A] == 2)

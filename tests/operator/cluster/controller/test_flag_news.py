"""A rollout that rests has a turn as soon as somebody else wrote its flag, or one of its copies' flags."""

import pytest

from pitwall_crds.names import experiment_flag, shadow_flag
from pitwall_crds.rollout.status import RolloutStatus
from pitwall_flags.errors import FlagsUnreachableError
from pitwall_operator.cluster.controller.flag_news import FlagNews
from pitwall_operator.cluster.controller.next_turns import Due
from pitwall_operator.cluster.tasks import BackgroundTasks
from pitwall_operator.decision.decide import Decision
from pitwall_operator.decision.weighing.analyze import Judgement
from pitwall_operator.kube.client import ROLLOUTS
from pitwall_operator.turn.turn import TurnResult
from pitwall_operator.values.observation import Observation, ShadowSeen, SplitSeen, Unseen

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

    await FlagNews(world.flags, world.cache, Due(600.0), told.append, BackgroundTasks()).once()

    assert told == woken


async def test_a_rollout_beside_pods_of_another_flag_is_told_whoever_wrote_that(world):
    """The sweep itself takes the users of a former flag back to stable; then these pods may go."""
    world.cache.put(ROLLOUTS, world.rollout("a", flag="one"))
    seen = Observation(0.0, {}, SplitSeen(), ShadowSeen(), Unseen("-"), elsewhere={"aks": "former"})
    due, told = Due(600.0), []
    due.after(A, TurnResult(seen, Decision(RolloutStatus(), (), Judgement()), ()), ())
    news = FlagNews(world.flags, world.cache, due, told.append, BackgroundTasks())

    await world.flags.put("former", {}, expected_version=1, actor="operator", reason="its rollout is gone")
    await news.once()
    await news.once()
    assert told == [{A}]
    world.flags.news = {"former"}
    await news.once()
    assert told == [{A}, {A}]


async def test_a_kill_is_news_for_a_rollout_that_rests_also_after_the_flag_service_was_away(world):
    world.kube.items["rollouts"] = [world.rollout("a", flag="one")]
    world.flags.fault = FlagsUnreachableError("away")
    async with world.running():
        world.leading.set()
        await world.until(lambda: world.reconciler.taken[A] == 1)
        world.flags.fault = None
        world.flags.news = {"one"}
        await world.until(lambda: world.reconciler.taken[A] == 2)

"""Nothing passes while a gateway that has counted cannot be scraped: the slowest of them is the first to time out."""

from dataclasses import replace

import pytest

from pitwall_crds.names import Arm
from pitwall_crds.rollout.status import Phase, Verdict
from pitwall_operator.decision.decide import decide
from pitwall_operator.gates.counting.cursor import ENDED_SECONDS

FIRST, SECOND = "qa/gateway-a/10.0.0.7:9464@1800000000", "qa/gateway-b/10.0.0.8:9464@1800000000"


class ScrapedWorld:
    """A world of two gateways that are scraped, or not."""

    def __init__(self, world) -> None:
        self.world, self.down = world, frozenset[str]()
        world.to_canary()
        self.turn(10)

    def turn(self, seconds: float = 1.0, *, second_is_there: bool = True) -> None:
        world = self.world
        world.now += seconds
        seen = world.seen()
        ((_, source),) = seen.reading.sources.items()
        sources = {FIRST: source, SECOND: source} if second_is_there else {FIRST: source}
        decision = decide(world.rollout, replace(seen, reading=replace(seen.reading, sources=sources, down=self.down)))
        for effect in decision.effects:
            world.obey(effect)
        world.rollout = world.rollout.model_copy(update={"status": decision.status})


@pytest.fixture
def scraped(world) -> ScrapedWorld:
    return ScrapedWorld(world)


def test_one_that_counted_and_times_out_lets_nothing_pass(scraped):
    scraped.down = frozenset({"qa/gateway-b"})
    for _ in range(40):
        scraped.world.good_block()
        scraped.turn(second_is_there=False)

    assert scraped.world.status.stage == "1%"
    assert scraped.world.status.verdict is Verdict.UNMEASURED
    assert "qa/gateway-b has counted and cannot be scraped now" in scraped.world.status.reason

    scraped.down = frozenset()
    for _ in range(3):
        scraped.world.good_block()
        scraped.turn()
    assert scraped.world.status.stage == "10%"


def test_harm_that_the_others_show_counts_as_ever(scraped):
    scraped.down = frozenset({"qa/gateway-b"})
    for _ in range(60):
        scraped.world.block("aks-v1", candidate_seconds=5.0, bad=9, good=1)
        scraped.turn(second_is_there=False)

    assert scraped.world.status.phase is Phase.FLAGGED_OFF


def test_one_that_is_gone_and_one_that_never_counted_are_waited_for_by_nobody(scraped):
    scraped.down = frozenset({"qa/gateway-c"})
    for _ in range(40):
        scraped.world.good_block()
        scraped.turn(second_is_there=False)

    assert scraped.world.weight(Arm.CANDIDATE) > 100


def test_one_that_is_down_for_an_hour_has_ended(scraped):
    scraped.down = frozenset({"qa/gateway-b"})
    scraped.turn(ENDED_SECONDS + 1, second_is_there=False)
    for _ in range(40):
        scraped.world.good_block()
        scraped.turn(second_is_there=False)

    assert scraped.world.weight(Arm.CANDIDATE) > 100

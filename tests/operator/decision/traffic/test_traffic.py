"""Traffic as it is: gateways come and go, scrapes come late, a candidate is edited while its labels are under way."""

import random
from copy import deepcopy

import pytest

from pitwall_crds.names import Arm
from pitwall_crds.rollout.gate import Gate
from pitwall_crds.rollout.rollout import Analysis, Control, Stage
from pitwall_crds.rollout.status import Phase

ERRORS = {"name": "errors", "rate": {"metric": "Errors"}, "absoluteMarginBasisPoints": 2500}
THUMBS = {"name": "thumbs-down", "rate": {"metric": "ThumbsDown", "unit": "Query", "labelDelaySeconds": 0}}
TOKENS = {"name": "tokens", "mean": {"metric": "TokensPerQuery"}}
ARMS = ((Arm.CONTROL, "uniform-v1"), (Arm.CANDIDATE, "aks-v1"))
BLOCK_SECONDS = 5
SCRAPE_SECONDS = 15


def canary(world, *gates):
    """The candidate has a tenth of the users for a long time, and is judged by these gates."""
    world.apply("rollout-aks.yaml")
    world.want(
        stages=(Stage(weight_basis_points=1000, min_seconds=100_000), Stage(weight_basis_points=10_000)),
        control=Control(dedicated=True),
        analysis=Analysis(block_seconds=BLOCK_SECONDS, gates=tuple(Gate.model_validate(gate) for gate in gates)),
    )
    return world.until(lambda w: w.weight(Arm.CANDIDATE) == 1000, lambda: None)


def trials(world, name: str) -> tuple[int, int]:
    """The candidate's trials that a gate weighed in this run, and bad ones."""
    (gate,) = (gate for gate in world.status.gates if gate.name == name)
    counted, bad, _ = gate.state["totals"]["arms"][1]
    return counted, bad


def gateway(world):
    """A gateway that begins now, of the same make as the first; nothing is counted on it yet."""
    return type(world.counters)(run=world.split.salt)


def test_a_hundred_gateways_count_every_question_once(world):
    canary(world, ERRORS)
    world.further = {f"gateway-{number}": gateway(world) for number in range(100)}
    for _ in range(6):
        for counters in world.further.values():
            for arm, variant in ARMS:
                counters.serve(variant, arm, 0.01, 10)
        world.turn(BLOCK_SECONDS)

    assert trials(world, "errors") == (6 * 100 * 10, 0)


def test_gateways_that_are_replaced_one_by_one_count_every_question_once(world):
    canary(world, ERRORS)
    world.further = {f"gateway-{number}": gateway(world) for number in range(4)}
    for block in range(60):
        for counters in world.further.values():
            for arm, variant in ARMS:
                counters.serve(variant, arm, 0.01, 10, errors=1)
        world.turn(BLOCK_SECONDS)
        world.further.pop(next(iter(world.further)))
        world.further[f"gateway-{4 + block}"] = gateway(world)

    assert trials(world, "errors") == (60 * 4 * 10, 60 * 4)


def test_pods_that_come_and_go_change_no_count(world):
    """What runtimes export is for dashboards; only gateways count by run."""
    canary(world, ERRORS)
    for block in range(20):
        pod = type(world.counters)(run="")
        pod.serve("aks-v1", Arm.CANDIDATE, 9.0, 500, errors=500)
        world.further = {f"pod-{block}": pod}
        for arm, variant in ARMS:
            world.counters.serve(variant, arm, 0.01, 10)
        world.turn(BLOCK_SECONDS)

    assert trials(world, "errors") == (20 * 10, 0)


def minutes_until_off(world, offsets: tuple[int, int], tokens: float) -> float | None:
    """Two gateways, each scraped at its own moment of 15 s; ten questions a second; None if still on after 20 min."""
    canary(world, TOKENS)
    chance, live = random.Random(3), [gateway(world), gateway(world)]
    for second in range(1, 20 * 60 + 1):
        for number, (offset, counters) in enumerate(zip(offsets, live, strict=True)):
            for arm, variant in ARMS:
                mean = tokens if arm is Arm.CANDIDATE else 1000.0
                for _ in range(2 + number):
                    counters.spend(variant, arm, chance.gauss(mean, 200))
            if second % SCRAPE_SECONDS == offset:
                world.further[f"gateway-{number}"] = deepcopy(counters)
        if second % BLOCK_SECONDS == 0:
            world.turn(BLOCK_SECONDS)
        if world.status.phase is Phase.FLAGGED_OFF:
            return second / 60
    return None


@pytest.mark.parametrize("offsets", [(3, 3), (3, 9), (1, 14), (12, 6)])
def test_twice_the_tokens_are_harm_whenever_gateways_are_scraped(world, offsets):
    assert minutes_until_off(world, offsets, 2000.0) is not None


@pytest.mark.parametrize("offsets", [(3, 3), (3, 9)])
def test_as_many_tokens_are_no_harm_whenever_gateways_are_scraped(world, offsets):
    assert minutes_until_off(world, offsets, 1000.0) is None


def test_an_edited_candidates_run_counts_nothing_of_the_one_before_not_even_labels_that_come_late(world):
    canary(world, ERRORS, THUMBS)
    world.counters.serve("aks-v1", Arm.CANDIDATE, 0.01, 5, errors=5)
    world.turn(BLOCK_SECONDS)
    faulty = world.status.run_id
    assert trials(world, "errors") == (5, 5)

    world.revisions["aks-v1"] = "r2"
    world.until(lambda w: w.status.run_id != faulty and w.weight(Arm.CANDIDATE) == 1000, lambda: None)
    repaired = world.counters.run
    for _ in range(6):
        world.counters.run = faulty  # what was asked before the edit ends, and is complained about, after it
        world.counters.serve("aks-v1", Arm.CANDIDATE, 9.0, 1, errors=1)
        world.counters.rate("aks-v1", Arm.CANDIDATE, "thumbs_down", bad=3, good=0)
        world.counters.run = repaired
        for arm, variant in ARMS:
            world.counters.serve(variant, arm, 0.01, 10)
            world.counters.rate(variant, arm, "thumbs_down", bad=1, good=9)
        world.turn(BLOCK_SECONDS)

    assert repaired == world.status.run_id != faulty
    assert trials(world, "errors") == (60, 0)
    assert trials(world, "thumbs-down") == (60, 6)


def test_a_candidate_that_was_repaired_is_not_off_for_what_it_was(world):
    """All of the old run's questions fail, at the same time as the new run's do well."""
    canary(world, ERRORS)
    world.counters.serve("aks-v1", Arm.CANDIDATE, 0.01, 4, errors=4)
    faulty = world.status.run_id
    world.revisions["aks-v1"] = "r2"
    world.until(lambda w: w.status.run_id != faulty and w.weight(Arm.CANDIDATE) == 1000, lambda: None)
    for _ in range(40):
        for run, errors in ((faulty, 10), (world.status.run_id, 0)):
            world.counters.run = run
            for arm, variant in ARMS:
                world.counters.serve(variant, arm, 0.01, 10, errors=errors if arm is Arm.CANDIDATE else 0)
        world.turn(BLOCK_SECONDS)

    assert world.status.phase is Phase.CANARY
    assert world.status.flagged_off == ()

"""Whole streams of blocks, each of which once got a wrong verdict or none: stalls, bursts, high rates, lone trials."""

import random
from collections.abc import Iterable

import pytest

from pitwall_crds.rollout.gate import Dependence, Gate
from pitwall_crds.rollout.rollout import Analysis
from pitwall_crds.rollout.status import Verdict
from pitwall_operator.evidence.basis.counts import Counts, EdgeTallies, Tally
from pitwall_operator.gates import GateEvidence, StageContext, StageKind

LAST_STAGE = StageContext(StageKind.CANARY, 3)
"""Where the tightest promote margin is asked: a quarter more."""
THUMBS = {"name": "gate", "rate": {"metric": "ThumbsDown"}}
LATENCY = {"name": "gate", "quantile": {"metric": "QueryLatency"}}


def judged(rule: dict, dependence: Dependence, blocks: Iterable[Counts]) -> list[Verdict]:
    """The verdict after each block."""
    gate = Gate.model_validate({**rule, "dependence": dependence})
    evidence, verdicts = GateEvidence.start(gate, Analysis(gates=(gate,))), []
    for counts in blocks:
        evidence = evidence.update(counts)
        verdicts.append(evidence.assess(LAST_STAGE).verdict)
        if verdicts[-1] is Verdict.HARMFUL:
            break
    return verdicts


def flipped(chance: random.Random, trials: int, rate: float) -> Tally:
    return Tally(trials, sum(chance.random() < rate for _ in range(trials)))


def one_by_one(control: Iterable[int], candidate: Iterable[int]) -> Iterable[Counts]:
    """Blocks that hold one trial of one arm each, in turn."""
    for mine, other in zip(control, candidate, strict=True):
        yield Counts(control=Tally(1, mine))
        yield Counts(candidate=Tally(1, other))


def stalling(chance: random.Random, seconds: int) -> list[bool]:
    """A pod that stands still for 4 s on average, every two minutes: whether a question of this second is slow."""
    slow, left = [], 0.0
    for _ in range(seconds):
        left = left - 1 if left > 0 else (chance.expovariate(1 / 4) if chance.random() < 1 / 120 else 0.0)
        slow.append(left > 0)
    return slow


def of_one_pod(chance: random.Random, slow: list[bool]) -> tuple[Tally, tuple[Tally, ...]]:
    """A block of ten questions a second beyond the p99's edge, and beyond lower ones that half, a quarter, … pass."""
    questions = [waits for waits in slow for _ in range(10)]

    def beyond(otherwise: float) -> Tally:
        return Tally(len(questions), sum(waits or chance.random() < otherwise for waits in questions))

    return beyond(0.005), tuple(beyond(share) for share in (0.5, 0.25, 0.1, 0.05))


@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(2, 6))])
def test_identical_pods_that_stall_are_not_harmful(seed):
    """An hour in blocks of 30 s, as long as they are while nobody knows better."""
    chance = random.Random(seed)
    control, candidate = stalling(chance, 3600), stalling(chance, 3600)

    def blocks() -> Iterable[Counts]:
        for start in range(0, 3600, 30):
            (a, lower_a), (b, lower_b) = (of_one_pod(chance, arm[start : start + 30]) for arm in (control, candidate))
            yield Counts(a, b, edges=tuple(EdgeTallies(x, y) for x, y in zip(lower_a, lower_b, strict=True)))

    assert Verdict.HARMFUL not in judged(LATENCY, Dependence.BLOCK, blocks())


def in_bursts(chance: random.Random, trials: int, rate: float) -> Tally:
    """Bad trials of this mean rate that come together: most blocks have none."""
    return flipped(chance, trials, chance.betavariate(9 * rate, 9 * (1 - rate)))


@pytest.mark.parametrize("dependence", list(Dependence))
@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.soak)])
def test_fewer_bad_trials_are_no_harm_though_they_come_steadily(dependence, seed):
    """Worse in most of the blocks that differ, since the control's bad trials come together; and yet a third fewer."""
    chance = random.Random(seed)
    blocks = (Counts(in_bursts(chance, 50, 0.01), flipped(chance, 50, 0.0065)) for _ in range(720))

    assert Verdict.HARMFUL not in judged(THUMBS, dependence, blocks)


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.soak) for seed in (1, 2))])
def test_twice_as_many_bad_trials_are_harm_though_they_come_in_bursts(seed):
    """The candidate is better in most blocks."""
    chance = random.Random(seed)

    def blocks() -> Iterable[Counts]:
        for _ in range(720):
            burst = chance.random() < 1 / 7
            yield Counts(flipped(chance, 50, 0.05), flipped(chance, 50, 0.7 if burst else 0.0))

    assert Verdict.HARMFUL in judged(THUMBS, Dependence.BLOCK, blocks())


@pytest.mark.parametrize("dependence", list(Dependence))
@pytest.mark.parametrize("margins", [(200, 100, 50, 25), (1000,)])
def test_what_is_always_bad_is_never_proven_no_worse_than_what_mostly_is(dependence, margins):
    """Only the annoyed click: 84 % thumbs-down is normal, and five times that is more than all."""
    blocks = [Counts(Tally(50, 42), Tally(50, 50))] * 60

    verdicts = judged({**THUMBS, "promoteMarginPercent": margins}, dependence, blocks)

    assert Verdict.NON_INFERIOR not in verdicts


@pytest.mark.parametrize("dependence", list(Dependence))
def test_equal_arms_are_proven_so_whether_trials_come_in_blocks_or_one_by_one(dependence):
    chance = random.Random(5)
    pairs = [(int(chance.random() < 0.3), int(chance.random() < 0.3)) for _ in range(2100)]
    control, candidate = zip(*pairs, strict=True)
    at_once = [
        Counts(Tally(50, sum(control[start : start + 50])), Tally(50, sum(candidate[start : start + 50])))
        for start in range(0, 2100, 50)
    ]

    assert Verdict.NON_INFERIOR in judged(THUMBS, dependence, at_once)
    assert Verdict.NON_INFERIOR in judged(THUMBS, dependence, one_by_one(control, candidate))


@pytest.mark.parametrize("dependence", list(Dependence))
def test_a_candidate_whose_every_trial_is_bad_is_harmful_within_forty_though_arms_never_meet_in_a_block(dependence):
    chance = random.Random(6)
    control = [int(chance.random() < 0.1) for _ in range(40)]

    assert judged(THUMBS, dependence, one_by_one(control, [1] * 40))[-1] is Verdict.HARMFUL

"""One question a minute: the rollout of docs/low-traffic.md promotes what is healthy and stops what is broken."""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from pitwall_crds.names import Arm
from pitwall_crds.rollout.status import Phase, Verdict
from pitwall_operator.gates.advice import advice

MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0
USERS_A_DAY = 100
THUMBS_DOWN = 0.1
"""Of the users of one day, on either sampler."""
ERRORS = 0.002
MEDIAN_SECONDS, SPREAD = 4.0, 0.5


@dataclass
class QuietCandidate:
    """How it does beside stable: times slower, and how often it fails; `from_weight` on, before that like stable."""

    slower: float = 1.0
    errors: float = ERRORS
    thumbs_down: float = THUMBS_DOWN
    from_weight: int = 0


@dataclass
class QuietService:
    """A world that is asked once a minute on average, by day more than by night."""

    world: Any
    candidate: QuietCandidate
    chance: random.Random
    began: float = field(init=False)

    def __post_init__(self) -> None:
        self.world.apply("low-traffic.yaml")
        self._answer(1440, "uniform-v1", Arm.STABLE, QuietCandidate())
        self.began = self.world.now

    @property
    def days(self) -> float:
        """Since the rollout was applied."""
        return (self.world.now - self.began) / DAY

    def pass_time(self, seconds: float) -> None:
        """Users ask, then the operator looks."""
        self._ask(self._poisson(seconds / MINUTE * self._daylight()))
        self._judge(self._poisson(seconds / DAY * USERS_A_DAY * self._daylight()))
        self.world.turn(seconds)

    def until(self, is_over: Callable[["QuietService"], bool], *, step: float, days: float) -> float:
        """Days until something is so, or all these days if it never is."""
        while self.days < days and not is_over(self):
            self.pass_time(step)
        return self.days

    def is_promoted(self) -> bool:
        """Whether the candidate serves everybody for good."""
        return self.world.status.stable_variant == "aks-v1"

    def is_off(self) -> bool:
        """Whether the candidate was flagged off."""
        return self.world.status.phase is Phase.FLAGGED_OFF

    def _daylight(self) -> float:
        return 1 + 0.8 * math.sin(2 * math.pi * self.days)

    def _poisson(self, mean: float) -> int:
        """Arrivals in a unit of time by exponential gaps."""
        count, passed = 0, self.chance.expovariate(mean)
        while passed < 1:
            count, passed = count + 1, passed + self.chance.expovariate(mean)
        return count

    def _assigned(self) -> tuple[str, Arm]:
        shares = self.world.shares()
        (share,) = self.chance.choices(shares, [share.weight for share in shares])
        return share.variant, share.arm

    def _now(self) -> QuietCandidate:
        return self.candidate if self.world.weight(Arm.CANDIDATE) >= self.candidate.from_weight else QuietCandidate()

    def _ask(self, questions: int) -> None:
        for _ in range(questions):
            variant, arm = self._assigned()
            self._answer(1, variant, arm, self._now() if arm is Arm.CANDIDATE else QuietCandidate())
            if self.world.shadow.variant:
                self._copy(self._now())

    def _answer(self, count: int, variant: str, arm: Arm, sampler: QuietCandidate) -> None:
        for _ in range(count):
            failed = self.chance.random() < sampler.errors
            self.world.counters.serve(variant, arm, self._seconds() * sampler.slower, errors=int(failed))

    def _seconds(self) -> float:
        """Rounded to 6 %, so that few different numbers are counted."""
        return MEDIAN_SECONDS * 1.06 ** round(self.chance.gauss(0, SPREAD) / math.log(1.06))

    def _copy(self, sampler: QuietCandidate) -> None:
        """The same question to both: what it costs is mostly the question's own."""
        if self.chance.random() < sampler.errors:
            self.world.counters.fail_copy("aks-v1")
        else:
            self.world.counters.pair("aks-v1", sampler.slower * 1.05 ** round(self.chance.gauss(0, 3)))

    def _judge(self, users: int) -> None:
        for _ in range(users):
            variant, arm = self._assigned()
            rate = self._now().thumbs_down if arm is Arm.CANDIDATE else THUMBS_DOWN
            bad = int(self.chance.random() < rate)
            self.world.counters.rate(variant, arm, "thumbs_down", bad=bad, good=1 - bad)


@pytest.fixture
def quiet(world) -> Callable[..., QuietService]:
    """The service at the moment at which a candidate of this kind is applied."""
    return lambda seed, **candidate: QuietService(world, QuietCandidate(**candidate), random.Random(seed))


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(1, 4))])
def test_a_healthy_candidate_is_promoted_with_proof_within_five_days(quiet, seed):
    service = quiet(seed)
    days = service.until(QuietService.is_promoted, step=1800, days=5)

    assert service.is_promoted(), service.world.status.reason
    assert days > 2, "a day with its night at half of the traffic, and another one in the bake"
    assert service.world.status.flagged_off == ()


@pytest.mark.parametrize("from_weight", [0, 5000])
def test_a_candidate_that_fails_at_every_question_is_off_within_three_hours(quiet, from_weight):
    service = quiet(1, errors=1.0, from_weight=from_weight)
    service.until(lambda s: s.world.weight(Arm.CANDIDATE) >= from_weight, step=600, days=1)
    since = service.days
    off = service.until(QuietService.is_off, step=60, days=since + 1)

    assert (off - since) * DAY < 3 * HOUR


@pytest.mark.parametrize("from_weight", [0, 5000])
def test_a_candidate_that_takes_twice_as_long_is_off_within_a_day(quiet, from_weight):
    service = quiet(2, slower=2.0, from_weight=from_weight)
    service.until(QuietService.is_off, step=600, days=1)

    assert service.is_off(), service.world.status.reason
    assert "slower than the p90 limit" in service.world.status.reason or "worse by 25%" in service.world.status.reason


def test_answers_that_four_times_as_many_users_dislike_are_off_within_three_days(quiet):
    service = quiet(3, thumbs_down=0.4)
    service.until(QuietService.is_off, step=1800, days=3)

    assert service.world.status.flagged_off[-1].gate == "thumbs-down"


def test_without_a_single_question_nothing_is_proven_and_nothing_off(quiet):
    service = quiet(4)
    for _ in range(48):
        service.world.turn(HOUR)

    assert service.world.status.phase is Phase.SHADOW
    assert service.world.status.verdict is Verdict.UNMEASURED


def test_nothing_in_the_example_is_advised_against(quiet):
    assert advice(quiet(0).world.rollout.spec) == ()

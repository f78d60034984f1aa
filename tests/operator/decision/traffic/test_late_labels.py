"""Labels as they come in the world: bad ones soon, good ones when the gateway's window has passed.

While the weights of a ramp change, an arm that has just grown gets bad labels first, and one that has shrunk is left
with good ones. Identical arms must come through as identical, whatever the pace of a busy machine.
"""

import heapq
import itertools
import random
import zlib

import pytest

from pitwall_crds.names import Arm, Outcome
from pitwall_crds.rollout.gate import Unit
from pitwall_crds.rollout.status import Phase
from pitwall_gateway.counting.series import ArmSeries
from pitwall_gateway.feedback.ledger import Ledger, LedgerRule
from pitwall_gateway.values.speaker import Party

QUESTIONS_PER_SECOND = 60
BAD = 0.3
SIGNALS = ("thumbs_down", "follow_up")
VISITORS_PER_SECOND = 12
SEEDS = [0, *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(1, 6))]
SESSION_RULE = LedgerRule(window_seconds=30, user_seconds=200)


class LabelledUsers:
    """Users of a world whose arms are alike, and the labels of their answers, each at its time."""

    def __init__(self, world, seed, window):
        self.world, self.dice, self.window = world, random.Random(seed), window
        world.counters.window_seconds = window
        self.splits = [(0.0, world.shares())]
        self.coming, self.order = [], itertools.count()
        self.asked_until = world.now

    def turn(self):
        """A turn of the operator after as long as a busy machine takes."""
        self.world.turn(self.dice.uniform(0.5, 6.0))
        if self.world.shadow.percent:
            self.world.counters.pair("aks-v1", 1.0, 20)
        for _ in range(int(QUESTIONS_PER_SECOND * (self.world.now - self.asked_until))):
            self._ask(self.dice.uniform(self.asked_until, self.world.now))
        self.asked_until = self.world.now
        if self.world.shares() != self.splits[-1][1]:
            self.splits.append((self.world.now, self.world.shares()))
        while self.coming and self.coming[0][0] <= self.world.now:
            self._arrive(*heapq.heappop(self.coming)[2:])

    def _ask(self, assigned):
        """Gateways follow a new split within two seconds."""
        lag = self.dice.uniform(0.5, 2)
        shares = next(shares for time, shares in reversed(self.splits) if time + lag <= assigned or not time)
        [share] = self.dice.choices(shares, [one.weight for one in shares])
        bad, answered = self.dice.random() < BAD, assigned + self.dice.expovariate(1 / 0.8)
        known = self.dice.uniform(0.2, self.window) if bad else self.window + self.dice.random()
        heapq.heappush(self.coming, (answered, next(self.order), share, None))
        heapq.heappush(self.coming, (answered + known, next(self.order), share, bad))

    def _arrive(self, share, bad):
        if bad is None:
            self.world.counters.serve(share.variant, share.arm, self.dice.choice([0.01] * 9 + [0.1]))
            return
        for signal in SIGNALS:
            self.world.counters.rate(share.variant, share.arm, signal, bad=bad, good=not bad)


@pytest.mark.parametrize("window", [4.0, 30.0], ids="a window of {:.0f} s".format)
@pytest.mark.parametrize("seed", SEEDS)
def test_identical_arms_stay_identical_while_their_weights_change(world, seed, window):
    world.apply("rollout-aks.yaml")
    users = LabelledUsers(world, seed, window)
    for _ in range(2000):
        users.turn()
        assert "control and stable differ" not in world.status.reason
        if world.status.phase is Phase.STABLE and world.status.stable_variant == "aks-v1":
            break

    assert world.status.flagged_off == ()
    assert world.status.stable_variant == "aks-v1", world.status.reason


class Visitors:
    """Users who come for a session of several questions and say now and then what they think; labels by the gateway's
    own ledger."""

    def __init__(self, world, seed, unit):
        self.world, self.dice, self.unit = world, random.Random(seed), unit
        world.counters.window_seconds = SESSION_RULE.window_seconds
        self.ledger = Ledger(SESSION_RULE)
        self.coming, self.order = [], itertools.count()
        self.come_until = world.now

    def turn(self):
        self.world.turn(2.0)
        if self.world.shadow.percent:
            self.world.counters.pair("aks-v1", 1.0, 20)
        for _ in range(int(VISITORS_PER_SECOND * (self.world.now - self.come_until))):
            number, questions = next(self.order), 1 + int(self.dice.expovariate(1 / 5))
            heapq.heappush(self.coming, (self.dice.uniform(self.come_until, self.world.now), number, questions))
        self.come_until = self.world.now
        while self.coming and self.coming[0][0] <= self.world.now:
            self._ask(*heapq.heappop(self.coming))

    def _series(self, visitor):
        """By the visitor's bucket: who is asked by another arm when the weights change goes there in mid-visit."""
        bucket, past = zlib.crc32(str(visitor).encode()) % 10_000, 0
        for share in self.world.shares():
            past += share.weight
            if bucket < past:
                return ArmSeries(share.variant, share.arm, self.world.counters.run)
        raise AssertionError(self.world.shares())

    def _ask(self, now, visitor, questions):
        self._count(self.ledger.sweep(now))
        series = self._series(visitor)
        self.world.counters.serve(series.variant, series.arm, self.dice.choice([0.01] * 9 + [0.1]))
        answer, party = f"{visitor}-{questions}", Party("web", f"user-{visitor}")
        self._count(self.ledger.answered(answer, f"visit-{visitor}", series, now, party))
        if self.dice.random() < 0.3:
            self._count(self.ledger.thumb(answer, now, down=self.dice.random() < BAD / 2).trials)
        if questions > 1:
            again = now + self.dice.expovariate(1 / 12)
            heapq.heappush(self.coming, (again, visitor, questions - 1))

    def _count(self, trials):
        for trial in trials:
            if trial.unit == self.unit.lower() and trial.series.run == self.world.counters.run:
                bad = trial.outcome is Outcome.BAD
                self.world.counters.rate(
                    trial.series.variant, trial.series.arm, trial.signal, bad=int(bad), good=int(not bad)
                )


@pytest.mark.parametrize("unit", ["Query", "Session", "User"])
@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(1, 6))])
def test_identical_arms_stay_identical_when_people_come_for_a_while(world, seed, unit):
    """A visit lasts longer than a label's window, and who stays longer has more to complain about."""
    world.apply("rollout-aks.yaml")
    analysis = world.rollout.spec.analysis
    thumbs = next(gate for gate in analysis.gates if gate.name == "thumbs-down")
    measured = [gate for gate in analysis.gates if not gate.is_about_answers]
    gates = (*measured, thumbs.model_copy(update={"rate": thumbs.rate.model_copy(update={"unit": Unit(unit)})}))
    first, *others = world.rollout.spec.stages
    stages = (first, *(stage.model_copy(update={"min_seconds": 150}) for stage in others))
    world.want(analysis=analysis.model_copy(update={"gates": gates, "block_seconds": 8}), stages=stages)
    visitors = Visitors(world, seed, unit)
    for _ in range(1000):
        visitors.turn()
        assert "control and stable differ" not in world.status.reason
        if world.status.phase is Phase.STABLE:
            break

    assert world.status.flagged_off == ()


def test_slow_answers_that_are_left_of_a_stable_that_shrank_say_nothing_of_it(world):
    """Its quick answers came before the weights changed; of a control that grows the quick ones come first."""
    world.apply("rollout-aks.yaml")
    analysis = world.rollout.spec.analysis
    strict = {"margin_percent": 10, "absolute_margin_basis_points": None}
    gates = tuple(gate.model_copy(update=strict) for gate in analysis.gates if gate.quantile)
    shared = world.rollout.spec.control.model_copy(update={"dedicated": False})
    world.want(analysis=analysis.model_copy(update={"gates": gates}), control=shared)
    world.until(lambda world: world.weight(Arm.CANDIDATE) == 5000, world.good_block)
    for arm, quick, slow in ((Arm.STABLE, 3600, 900), (Arm.CONTROL, 3800, 200), (Arm.CANDIDATE, 3800, 200)):
        variant = "aks-v1" if arm is Arm.CANDIDATE else "uniform-v1"
        world.counters.serve(variant, arm, 0.01, quick)
        world.counters.serve(variant, arm, 0.3, slow)
    before = world.status.gates[0].state["totals"]
    for _ in range(4):
        world.turn()

    after = world.status.gates[0]
    assert "differ" not in after.message
    assert after.state["totals"]["arms"][0][0] > before["arms"][0][0], "the block was weighed"

"""Labels as they come in the world: bad ones soon, good ones when the gateway's window has passed.

While the weights of a ramp change, an arm that has just grown gets bad labels first, and one that has shrunk is left
with good ones. Identical arms must come through as identical, whatever the pace of a busy machine.
"""

import heapq
import itertools
import random

import pytest

from pitwall_crds.status import Phase

QUESTIONS_PER_SECOND = 60
BAD = 0.3
SIGNALS = ("thumbs_down", "follow_up")


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
@pytest.mark.parametrize("seed", range(6))
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

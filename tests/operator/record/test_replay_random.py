"""Records of random histories replay exactly, whatever happened. `make soak` looks at PITWALL_SEEDS of them."""

import json
import os
import random

import pytest

from pitwall_crds.rollout.action import Action, Verb
from pitwall_operator.record.replay import replay

MORE = range(4, int(os.environ.get("PITWALL_SEEDS", "12")))
SEEDS = [*range(4), *(pytest.param(seed, marks=pytest.mark.soak) for seed in MORE)]
TURNS = 120
UNDISTURBED = 20
"""Turns until something may happen, so that every history has blocks."""


def edited(chance, gates, original):
    """Gates that somebody might write next."""
    one = chance.choice(original).name
    match chance.randrange(4):
        case 0:
            return original
        case 1:
            return tuple(gate for gate in gates if gate.name != one) or original
        case 2:
            fields = {"margin_percent": chance.choice((0, 50))}
        case _:
            fields = {"promote_margin_percent": (300, 60)}
    return tuple(gate.model_copy(update=fields) if gate.name == one else gate for gate in gates)


def something_happens(chance, world, original, turn):
    """People, clocks, Prometheus and pods; each seldom."""
    spec = world.rollout.spec
    if chance.random() < 0.08:
        gates = edited(chance, spec.analysis.gates, original)
        world.want(analysis=spec.analysis.model_copy(update={"gates": gates}))
    if chance.random() < 0.04:
        world.now -= 30
    if chance.random() < 0.05:
        world.blind = "" if world.blind else "Prometheus is down"
    if chance.random() < 0.03:
        verb = chance.choice((Verb.PROMOTE, Verb.ABORT, Verb.RETRY))
        world.want(action=Action(id=f"a{turn}", verb=verb, actor="somebody"))
    if chance.random() < 0.02:
        world.revisions["aks-v1"] = f"r{turn}"
    if chance.random() < 0.05:
        world.want(paused=not spec.paused)


def one_block(chance, world, is_bad):
    """Traffic of a good or of a bad candidate, or none at all."""
    if chance.random() < 0.1:
        return
    if is_bad:
        world.block("aks-v1", candidate_seconds=0.2, bad=8, good=2)
    else:
        world.good_block()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_record_replays_exactly_whatever_happened(world, seed):
    chance, written = random.Random(seed), []
    world.apply("rollout-aks.yaml")
    original, is_bad = world.rollout.spec.analysis.gates, chance.random() < 0.3
    for turn in range(TURNS):
        one_block(chance, world, is_bad and turn > TURNS / 3)
        if turn >= UNDISTURBED:
            something_happens(chance, world, original, turn)
        written += world.turn_or_crash(chance, 0.2)

    blocks = list(replay(json.loads(json.dumps(written))))
    assert blocks
    assert [words for block in blocks for words in block.disagreements()] == []

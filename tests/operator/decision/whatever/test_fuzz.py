"""Fuzzer: whatever was counted, a decision can be stored, its evidence is numbers, and what could not be measured is
neither good nor bad.

`make soak` makes PITWALL_FUZZ_INPUTS; docs/security.md tells of the largest run.
"""

import json
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from harness.fuzzing import fuzz, seed_of, some_or_many
from harness.odd_counters import COUNTS, CountingScene, by_name, odd_samples, scenes_of

from pitwall_crds.rollout.rollout import Rollout
from pitwall_crds.rollout.status import RolloutStatus, Verdict
from pitwall_operator.decision.decide import Decision, decide
from pitwall_operator.gates.counting.present import measure
from pitwall_operator.observe.countable import LARGEST
from pitwall_operator.observe.variant_metrics import metrics_between
from pitwall_operator.record.lines import evidence_lines
from pitwall_operator.values.observation import ProcessCounters, Reading, Unseen


@pytest.fixture
def scenes(world: Any) -> list[CountingScene]:
    return scenes_of(world)


def odd_reading(scene: CountingScene, dice: random.Random, at: float) -> Reading | Unseen:
    """Of up to three processes, which may be new ones each time."""
    if dice.random() < 0.1:
        return Unseen("Prometheus refuses: \u202e\x00" + "é" * 400)
    sources = {
        dice.choice(("gateway@1", "gateway@2", "other@0", "\x1b[2J")): ProcessCounters(
            dice.choice((0.0, 1e9, at, at + 1e6, LARGEST)), by_name(odd_samples(scene.samples, dice, COUNTS))
        )
        for _ in range(dice.choice((0, 1, 1, 1, 2)))
    }
    return Reading(at, sources)


@dataclass
class OddBlocks:
    """What is read in a few blocks after one another."""

    scene: CountingScene = field(repr=False)
    readings: list[Reading | Unseen]


def odd_blocks(scenes: list[CountingScene], dice: random.Random) -> OddBlocks:
    scene = dice.choice(scenes)
    times = [scene.at + 4 * (index + 1) for index in range(dice.choice((1, 1, 1, 2, 3)))]
    return OddBlocks(scene, [odd_reading(scene, dice, at) for at in times])


def judge_blocks(blocks: OddBlocks) -> None:
    rollout, before = blocks.scene.rollout, Reading(blocks.scene.at, {})
    for reading in blocks.readings:
        now = reading.time if isinstance(reading, Reading) else before.time + 4
        decision = decide(rollout, replace(blocks.scene.seen, now=now, reading=reading))
        judge_decision(rollout, decision, reading)
        rollout = rollout.model_copy(update={"status": decision.status})
        if isinstance(reading, Reading):
            stable = rollout.status.stable_variant
            present = measure(rollout.spec.analysis, reading, stable)
            assert present is None or 0 < present.traffic.questions_per_second < math.inf
            metrics_between(reading, before, stable)
            before = reading


def judge_decision(rollout: Rollout, decision: Decision, reading: Reading | Unseen) -> None:
    """It can be stored and recorded, its evidence is numbers, and what was not measured changed no evidence."""
    stored = decision.status.model_dump_json(by_alias=True)
    assert RolloutStatus.model_validate_json(stored) == decision.status
    for line in evidence_lines(rollout, decision):
        json.dumps(line, allow_nan=False)
    for gate in decision.status.gates:
        json.dumps(gate.state, allow_nan=False)
        for process in gate.evidence:
            assert -math.inf <= float(process.log_e) < math.inf
            assert math.isfinite(float(process.log_threshold))
        for counted in _numbers(gate.state):
            assert math.isfinite(counted), gate.state
    for counts in decision.judgement.counts.values():
        for tally in (counts.control, counts.candidate, counts.stable, counts.objective):
            assert 0 <= tally.bad <= tally.trials
            assert 0 <= tally.total < math.inf
    if isinstance(reading, Unseen):
        assert decision.judgement.verdict is Verdict.UNMEASURED
        assert not decision.judgement.counts
        assert [gate.state for gate in decision.status.gates] == [gate.state for gate in rollout.status.gates]
        assert (decision.status.phase, decision.status.stage_index) == (
            rollout.status.phase,
            rollout.status.stage_index,
        )


def _numbers(state: Any) -> Iterator[float]:
    """Every number of a state, as such or as text."""
    if isinstance(state, dict | list):
        for inner in state.values() if isinstance(state, dict) else state:
            yield from _numbers(inner)
    elif isinstance(state, int | float) or (isinstance(state, str) and state in ("nan", "inf", "-inf")):
        yield float(state)


@some_or_many(30)
def test_whatever_was_counted_a_decision_is_well_formed(scenes, number):
    fuzz("counts", lambda dice: odd_blocks(scenes, dice), judge_blocks, number, seed=seed_of(number))

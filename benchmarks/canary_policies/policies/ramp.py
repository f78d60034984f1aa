"""Simulates the default ramp, 1 → 10 → 50 → 100 %: Pitwall's weights follow its verdicts, others' a timetable."""

import numpy as np
from benchmarks.canary_policies.policies import ours, peers
from benchmarks.canary_policies.policies.outcome import NEVER, RampOutcome
from benchmarks.canary_policies.world.scenarios import TrafficScenario
from benchmarks.canary_policies.world.traffic import BLOCK_SECONDS, Blocks, Minutes, SimulatedTraffic, record

from pitwall_crds.rollout.gate import Dependence

RPS = 100.0
SHARES = np.array([0.01, 0.1, 0.5])
STAGE_SECONDS = 60
"""Pitwall's minSeconds per stage."""
PEER_MINUTES = 10
"""Minutes per weight of a peer: ten checks each."""
LAST_BLOCK = 120 * 60 // BLOCK_SECONDS


def judge(
    scenario: TrafficScenario,
    dependence: Dependence,
    margins: tuple[int, ...] | None = None,
    *,
    pooled: bool = False,
    runs: int,
    seed: int,
) -> RampOutcome:
    """Evidence of harm is carried from stage to stage; promoted means sent to 100 %. Margins None are the defaults."""
    traffic = SimulatedTraffic(scenario, runs, LAST_BLOCK, seed)
    state = ours.roles(scenario.metric, dependence, runs, margins)
    stage, entered = np.zeros(runs, int), np.zeros(runs)
    off, promoted = np.full(runs, NEVER), np.full(runs, NEVER)
    answered = np.zeros((runs, LAST_BLOCK), int)
    for index in range(LAST_BLOCK):
        running = ~np.isfinite(np.minimum(off, promoted))
        if not running.any():
            break
        weight = SHARES[np.minimum(stage, len(SHARES) - 1)]
        trials = traffic.draw.poisson(RPS * weight * BLOCK_SECONDS) * running
        state.update(*_block(traffic, index, trials, weight, pooled=pooled))
        answered[:, index] = trials
        now = (index + 1) * BLOCK_SECONDS
        off = np.where(running & state.is_harmful(), now, off)
        proven = np.choose(np.minimum(stage, len(SHARES) - 1), [state.is_proven(i) for i in range(len(SHARES))])
        step = running & ~np.isfinite(off) & proven & (now - entered >= STAGE_SECONDS)
        stage, entered = stage + step, np.where(step, now, entered)
        state.begin_stage(step)
        promoted = np.where(stage == len(SHARES), np.minimum(promoted, now), promoted)
    return RampOutcome.of(off, promoted, answered)


def _block(traffic: SimulatedTraffic, index: int, trials: np.ndarray, weight: np.ndarray, *, pooled: bool) -> tuple:
    """Trials, control, candidate; and with everything of the stable as control, its trials."""
    control, candidate = traffic.block(index, trials)
    if not pooled:
        return trials, control, candidate
    others = traffic.draw.poisson(RPS * (1 - 2 * weight) * BLOCK_SECONDS) * (trials > 0)
    return trials, control + traffic.rest(index, others), candidate, trials + others


def peer_streams(scenario: TrafficScenario, *, runs: int, seed: int) -> tuple[Blocks, Minutes]:
    """What a peer sees whose weights follow the timetable."""
    per_minute = np.repeat(RPS * 60 * SHARES, PEER_MINUTES)
    assert len(per_minute) == peers.CHECKS
    rest = np.repeat((1 - 2 * SHARES) / SHARES, PEER_MINUTES)
    return record(scenario, per_minute=per_minute, rest=rest, runs=runs, seed=seed)

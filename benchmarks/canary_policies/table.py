"""Computes the results: one row per policy, scenario, traffic and weight."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from zlib import crc32

import numpy as np
from benchmarks.canary_policies.policies import ours, peers, ramp
from benchmarks.canary_policies.policies.outcome import RampOutcome
from benchmarks.canary_policies.reporting.rows import Cell, row
from benchmarks.canary_policies.world.scenarios import DIRT, TRAFFIC_LADDER, ScenarioMetric, TrafficScenario
from benchmarks.canary_policies.world.traffic import Blocks, Minutes, record

from pitwall_crds.rollout.gate import Dependence

PER_MINUTE = (1, 10, 100, 600, 1000)
"""Queries per minute of the candidate; 600 is 10 % of 100 rps."""
USUAL = 600
WEIGHT = 0.1
HORIZON_MINUTES = 60
USUAL_LIMIT = 1.25
LIMITS = (USUAL_LIMIT, 1.1, 1.5, 1.75, 2.0, 2.5, 3.0, 4.0, 6.0)
ERROR_LIMIT = 0.01
BLOCK, QUERY = {"dependence": Dependence.BLOCK}, {"dependence": Dependence.QUERY}
OURS = {
    "pitwall, Block": BLOCK,
    "pitwall, Block of 30 s": {**BLOCK, "block_seconds": 30},
    "pitwall, Query": QUERY,
    "pitwall, Query, shared control": {**QUERY, "pooled": True},
}
STRICT = {"margins": (200, 100, 25)}
OURS_IN_A_RAMP = {
    "pitwall, Block": BLOCK,
    "pitwall, Block, margins 200/100/25": {**BLOCK, **STRICT},
    "pitwall, Query": QUERY,
    "pitwall, Query, margins 200/100/25": {**QUERY, **STRICT},
    "pitwall, Query, shared control": {**QUERY, "pooled": True},
}
RAMP = tuple(
    scenario
    for scenario in (*TRAFFIC_LADDER, *DIRT)
    if scenario.name
    in {
        "identical",
        "p99 × 1.5",
        "p99 × 2",
        "p99 × 3",
        "identical, correlation .05",
        "identical, diurnal drift",
        "identical, common spikes",
        "identical thumbs",
        "thumbs-down +25 %",
    }
)


def limit_of(metric: ScenarioMetric, baseline: float, factor: float) -> float:
    """A peer's fixed limit: a factor of the stable's value; for errors the usual success rate of 99 %."""
    return ERROR_LIMIT if metric is ScenarioMetric.ERRORS else factor * baseline


def rules(blocks, minutes, metric: ScenarioMetric, factor: float) -> dict[str, RampOutcome]:
    """Every peer on one recording."""
    limit = limit_of(metric, minutes.baseline, factor)
    done = partial(peers.outcome, trials=blocks.answered)
    return {
        "flagger, threshold 1": done(peers.flagger(minutes, limit, threshold=1)),
        "flagger, threshold 5": done(peers.flagger(minutes, limit, threshold=5)),
        "argo, failureLimit 3": done(peers.argo(minutes, limit, failure_limit=3)),
    }


def free_rules(blocks, minutes) -> dict[str, RampOutcome]:
    """Peers without a fixed limit."""
    done = partial(peers.outcome, trials=blocks.answered)
    return {"kayenta, every 5 min": done(peers.kayenta(minutes)), "z-test, every minute": done(peers.z_test(minutes))}


def constant_weight(scenario: TrafficScenario, per_minute: float, runs: int) -> Iterator[dict]:
    """Rows of all policies at 10 %; a peer's row says its limit, as a factor of the stable's value."""
    flat = np.ones(HORIZON_MINUTES)
    recorded = record(
        scenario,
        per_minute=flat * per_minute,
        rest=flat * (1 - 2 * WEIGHT) / WEIGHT,
        runs=runs,
        seed=seed_of(scenario),
    )

    def cell(policy: str) -> Cell:
        return Cell(policy, scenario, per_minute / WEIGHT, f"{WEIGHT:.0%}", runs)

    for policy, options in _as_deployed(OURS, scenario.metric):
        yield row(cell(policy), ours.judge(scenario.metric, blocks=recorded[0], **options))
    yield from _peers(cell, *recorded, scenario.metric)


def whole_ramp(scenario: TrafficScenario, runs: int) -> Iterator[dict]:
    """Rows of all policies over 1 → 10 → 50 %; Pitwall's also with 25 % demanded before full weight."""

    def cell(policy: str) -> Cell:
        return Cell(policy, scenario, ramp.RPS * 60, "1→10→50%", runs)

    for policy, options in _as_deployed(OURS_IN_A_RAMP, scenario.metric):
        yield row(cell(policy), ramp.judge(scenario, **options, runs=runs, seed=seed_of(scenario)))
    yield from _peers(cell, *ramp.peer_streams(scenario, runs=runs, seed=seed_of(scenario)), scenario.metric)


def _as_deployed(policies: Mapping[str, dict], metric: ScenarioMetric) -> Iterator[tuple[str, dict]]:
    """Our policies; in Query mode opinions about answers are compared with all of stable, whatever the control."""
    for policy, options in policies.items():
        opinions = metric is ScenarioMetric.THUMBS_DOWN and options["dependence"] is Dependence.QUERY
        yield policy, {**options, "pooled": True} if opinions else options


def _peers(cell: Callable[[str], Cell], blocks: Blocks, minutes: Minutes, metric: ScenarioMetric) -> Iterator[dict]:
    for factor in LIMITS if metric is not ScenarioMetric.ERRORS else (USUAL_LIMIT,):
        suffix = "" if factor == USUAL_LIMIT else f", limit × {factor:g}"
        for policy, outcome in rules(blocks, minutes, metric, factor).items():
            yield row(cell(policy + suffix), outcome)
    for policy, outcome in free_rules(blocks, minutes).items():
        yield row(cell(policy), outcome)


def seed_of(scenario: TrafficScenario) -> int:
    """Fixed, and different for every scenario."""
    return crc32(scenario.name.encode())


def jobs(traffic: tuple[float, ...] = PER_MINUTE) -> list[tuple[str, TrafficScenario, float]]:
    """(kind, scenario, queries per minute of the candidate) of the whole table, the slow ones first."""
    ramps = [("ramp", scenario, 0.0) for scenario in RAMP]
    ladder = [("constant", scenario, rate) for scenario in TRAFFIC_LADDER for rate in traffic]
    return [*ramps, *ladder, *(("constant", scenario, USUAL) for scenario in DIRT)]


def rows_of(job: tuple[str, TrafficScenario, float], runs: int) -> list[dict]:
    """All rows of one job; a plain function, so that processes can share the work."""
    kind, scenario, per_minute = job
    return list(whole_ramp(scenario, runs) if kind == "ramp" else constant_weight(scenario, per_minute, runs))

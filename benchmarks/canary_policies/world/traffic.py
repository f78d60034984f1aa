"""Simulates traffic: what both arms showed per block and per minute, for many runs of one scenario."""

from dataclasses import dataclass

import numpy as np
from benchmarks.canary_policies.world.laws import TAIL, gate_edges
from benchmarks.canary_policies.world.scenarios import ScenarioMetric, TrafficScenario

BLOCK_SECONDS = 5
BLOCKS_PER_MINUTE = 60 // BLOCK_SECONDS
SPIKE_SCALE, SPIKE_BLOCKS, SPIKE_CHANCE = 2.5, 6, 0.004
COLD_RATE, COLD_MINUTES = 0.9, 8.0
DRIFT_MINUTES = 120.0


@dataclass(frozen=True, slots=True)
class Blocks:
    """Arrays of (runs, blocks): trials per arm, and each arm's bad events at Pitwall's own edges."""

    trials: np.ndarray
    control: np.ndarray
    candidate: np.ndarray
    pool_trials: np.ndarray
    pool: np.ndarray
    """Everything that the stable sampler answered: the control and the rest of the traffic."""
    seen: np.ndarray
    """(blocks,) whether metrics could be read at the end of the block."""
    answered: np.ndarray
    """Queries that the candidate answered; the same as trials unless labels come late or a reset lost some."""


@dataclass(frozen=True, slots=True)
class Minutes:
    """Arrays of (runs, minutes): the metric as a per-minute query returns it, NaN without queries."""

    control: np.ndarray
    candidate: np.ndarray
    baseline: float
    """The metric's long-run value on the stable variant, from which fixed limits are derived."""
    reachable: np.ndarray
    """(minutes,) whether Prometheus answered."""
    trials: np.ndarray
    """(runs, minutes) queries per arm."""
    bad: np.ndarray
    """(2, runs, minutes) bad events of control and candidate, both beyond the control's edge."""


class SimulatedTraffic:
    """Draws blocks of a scenario for many runs at once, always in the same order for the same seed."""

    def __init__(self, scenario: TrafficScenario, runs: int, blocks: int, seed: int) -> None:
        self.scenario, self.runs = scenario, runs
        self.draw = np.random.default_rng(seed)
        self.minute = (np.arange(blocks) + 0.5) / BLOCKS_PER_MINUTE
        self.scale = self._scale(blocks)
        self.harm = self.minute >= scenario.harm_from_minute
        self.edges = gate_edges(scenario.law)

    def _scale(self, blocks: int) -> np.ndarray:
        """(2, runs, blocks) slowness of control and candidate: time of day, spikes of both, stalls of one."""
        s = self.scenario
        wave = 1 + s.drift * np.sin(2 * np.pi * self.minute / DRIFT_MINUTES)
        scale = np.broadcast_to(wave, (2, self.runs, blocks)).copy()
        if s.spikes:
            scale *= self._spikes(blocks)
        if s.stalls:
            scale *= np.stack([self._spikes(blocks), self._spikes(blocks)])
        return scale

    def _spikes(self, blocks: int) -> np.ndarray:
        """(runs, blocks) 1, or more for half a minute now and then."""
        scale = np.ones((self.runs, blocks))
        starts = self.draw.random((self.runs, blocks)) < SPIKE_CHANCE
        for lag in range(SPIKE_BLOCKS):
            scale[:, lag:][starts[:, : blocks - lag]] = SPIKE_SCALE
        return scale

    def rates(self, block: int) -> tuple[np.ndarray, np.ndarray]:
        """(control, candidate) probability of a bad event in this block, per run, before correlation."""
        s = self.scenario
        if s.metric is ScenarioMetric.LATENCY:
            slowdown = s.slowdown if self.harm[block] else 1.0
            control, candidate = self.scale[:, :, block]
            return s.law.survival(self.edges[0] / control), s.law.survival(self.edges[1] / (candidate * slowdown))
        cold = COLD_RATE * np.exp(-self.minute[block] / COLD_MINUTES) if s.cold_start else 0.0
        pair = (s.base_rate, s.candidate_rate if self.harm[block] else s.base_rate)
        return tuple(np.full(self.runs, rate + (1 - rate) * cold) for rate in pair)

    def block(self, block: int, trials: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(control, candidate) bad events among so many trials each; trials of a block share their luck."""
        return tuple(self._bad(trials, rate) for rate in self.rates(block))

    def rest(self, block: int, trials: np.ndarray) -> np.ndarray:
        """Bad events among the stable's other queries: its cache has long been warm."""
        warm = np.full(self.runs, self.scenario.base_rate)
        return self._bad(trials, warm if self.scenario.cold_start else self.rates(block)[0])

    def _bad(self, trials: np.ndarray, rate: np.ndarray) -> np.ndarray:
        if self.scenario.correlation:
            size = 1 / self.scenario.correlation - 1
            rate = self.draw.beta(rate * size, (1 - rate) * size)
        return self.draw.binomial(trials, rate)

    def tail(self, bad: np.ndarray, trials: np.ndarray, scale: np.ndarray, edge: float) -> np.ndarray:
        """A sample p99, drawn given how many of the trials lay beyond the edge; NaN without trials.

        The r-th largest of n is the r-th largest of those beyond the edge if there are r, else the (r − bad)-th of the
        others; uniform order statistics are beta distributed.
        """
        law = self.scenario.law
        rank = trials - np.ceil((1 - TAIL) * trials) + 1
        beyond = law.survival(edge / scale)
        is_beyond = bad >= rank
        index = np.where(is_beyond, rank, rank - bad)
        count = np.where(is_beyond, bad, trials - bad)
        share = self.draw.beta(np.maximum(index, 1), np.maximum(count + 1 - index, 1))
        exceeded = np.where(is_beyond, share * beyond, beyond + share * (1 - beyond))
        return np.where(trials > 0, scale * law.upper_quantile(exceeded), np.nan)


def record(
    scenario: TrafficScenario, *, per_minute: np.ndarray, rest: np.ndarray, runs: int, seed: int
) -> tuple[Blocks, Minutes]:
    """Traffic of so many queries in each arm, minute by minute, and `rest` times as many beside the two arms."""
    per_block = np.repeat(per_minute / BLOCKS_PER_MINUTE, BLOCKS_PER_MINUTE)
    blocks = len(per_block)
    traffic = SimulatedTraffic(scenario, runs, blocks, seed)
    trials = traffic.draw.poisson(per_block, (runs, blocks))
    control, candidate, others = np.empty_like(trials), np.empty_like(trials), np.empty_like(trials)
    other_trials = traffic.draw.poisson(per_block * np.repeat(rest, BLOCKS_PER_MINUTE), trials.shape)
    for index in range(blocks):
        control[:, index], candidate[:, index] = traffic.block(index, trials[:, index])
        others[:, index] = traffic.rest(index, other_trials[:, index])
    seen = np.ones(blocks, bool)
    first, last = (int(minute * BLOCKS_PER_MINUTE) for minute in scenario.outage_minutes)
    seen[first:last] = False
    by_minute = _by_minute(traffic, trials, control, candidate, seen)
    answered = trials.copy()
    if scenario.reset_minute:
        _lose_to_a_reset(scenario, trials, control, candidate)
    pool = (other_trials + trials, others + control)
    return _after_labels(scenario, Blocks(trials, control, candidate, *pool, seen, answered)), by_minute


def _by_minute(traffic, trials, control, candidate, seen) -> Minutes:
    total, bad_a, bad_b = (_grouped(values) for values in (trials, control, candidate))
    s = traffic.scenario
    if s.metric is ScenarioMetric.LATENCY:
        scale, slow = traffic.scale.reshape(2, traffic.runs, -1, BLOCKS_PER_MINUTE).max(axis=3)
        slow = slow * np.where(traffic.harm[::BLOCKS_PER_MINUTE], s.slowdown, 1.0)
        values = traffic.tail(bad_a, total, scale, traffic.edges[0]), traffic.tail(bad_b, total, slow, traffic.edges[1])
        baseline = float(s.law.upper_quantile(TAIL))
        bad_b = bad_b + _between_edges(traffic, total - bad_b, slow)
    else:
        values = _rate(traffic, bad_a, total), _rate(traffic, bad_b, total)
        baseline = s.base_rate
    reachable = seen.reshape(-1, BLOCKS_PER_MINUTE).all(axis=1)
    return Minutes(*values, baseline, reachable, total, np.stack([bad_a, bad_b]))


def _between_edges(traffic, within, scale):
    """How many of the queries within the candidate's edge lie beyond the control's."""
    low, high = (traffic.scenario.law.survival(edge / scale) for edge in traffic.edges)
    return traffic.draw.binomial(within, np.clip((low - high) / np.maximum(1 - high, 1e-12), 0, 1))


def _rate(traffic, bad, total):
    """Bad share of the labels that a per-minute query sees. Bad labels come at once, good ones when the window ends."""
    delay = traffic.scenario.label_delay_minutes
    good = total - bad
    if delay:
        late = int(delay)
        good = np.concatenate([np.zeros_like(good[:, :late]), good[:, :-late]], axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(bad + good > 0, bad / (bad + good), np.nan)


def _after_labels(scenario: TrafficScenario, blocks: Blocks) -> Blocks:
    """Pitwall counts a trial when its label is final, so everything comes later by the delay, and unbiased."""
    late = int(scenario.label_delay_minutes * BLOCKS_PER_MINUTE)
    if not late:
        return blocks

    def shifted(values):
        return np.concatenate([np.zeros_like(values[:, :late]), values[:, :-late]], axis=1)

    arms = (blocks.trials, blocks.control, blocks.candidate, blocks.pool_trials, blocks.pool)
    return Blocks(*map(shifted, arms), blocks.seen, blocks.answered)


def _lose_to_a_reset(scenario, trials, control, candidate) -> None:
    """A pod restarts: counts since the last scrape are lost in both arms alike, later ones start from zero again."""
    index = int(scenario.reset_minute * BLOCKS_PER_MINUTE)
    for values in (trials, control, candidate):
        values[:, index] = 0


def _grouped(values):
    return values.reshape(len(values), -1, BLOCKS_PER_MINUTE).sum(axis=2)

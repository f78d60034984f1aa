"""`simulate` plays a scenario many times over, and `stable_history` tells what was known before."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from benchmarks.canary_policies.queues.counting.capped import LOOK_SECONDS, trials_and_spreads
from benchmarks.canary_policies.queues.counting.counts import STEP_SECONDS, ArmCounts, candidate_edges, count, edges_of
from benchmarks.canary_policies.queues.counting.memory import memories
from benchmarks.canary_policies.queues.world.pods import FAR, completions, draw_stalls
from benchmarks.canary_policies.queues.world.questions import CANDIDATE, CONTROL, STABLE, QueueQuestions, draw_questions
from benchmarks.canary_policies.queues.world.scenario import (
    NOTHING_WRONG,
    SLOTS,
    STALL_EVERY_SECONDS,
    QueueScenario,
)

QUESTIONS_AT_ONCE = 15_000_000
"""Bounds the memory: so many questions are simulated at a time."""
PILOT_RUNS, PILOT_QUESTIONS = 16, 6_000_000
HISTORY_SECONDS = 7200.0


@dataclass(frozen=True, slots=True)
class QueueCounts:
    """What one gateway showed of the three arms, in steps of two seconds."""

    control: ArmCounts
    candidate: ArmCounts
    stable: ArmCounts
    edges: tuple[float, ...]
    candidate_edges: tuple[float, ...]
    spreads: np.ndarray | None = None
    """What sticky users differ by, as gateways say at each look: (control and candidate, trials and variance of one and
    design effect and users, edges, runs, looks)."""

    @classmethod
    def one_after_the_other(cls, parts: Sequence["QueueCounts"]) -> "QueueCounts":
        """The same runs in further stages, at the same edges."""
        arms = ([getattr(part, arm) for part in parts] for arm in ("control", "candidate", "stable"))
        joined = (ArmCounts.one_after_the_other(each) for each in arms)
        spreads = [part.spreads for part in parts if part.spreads is not None]
        looks = np.concatenate(spreads, axis=-1) if spreads else None
        return cls(*joined, parts[0].edges, parts[0].candidate_edges, looks)

    def of_runs(self, which: np.ndarray) -> "QueueCounts":
        """Some of the runs."""
        arms = (arm.of_runs(which) for arm in (self.control, self.candidate, self.stable))
        spreads = None if self.spreads is None else self.spreads[..., which, :]
        return QueueCounts(*arms, self.edges, self.candidate_edges, spreads)


def simulate(
    scenario: QueueScenario,
    runs: int,
    seed: int,
    edges: tuple[float, ...],
    *,
    with_stable: bool = True,
    step_seconds: float = STEP_SECONDS,
) -> QueueCounts:
    """All runs, in chunks that fit into memory. Without stable, pods that serve nobody else are left out."""
    share = arms_share(scenario, with_stable=with_stable)
    chunk = max(1, min(runs, int(QUESTIONS_AT_ONCE / (share * scenario.rps * scenario.seconds))))
    shape = (chunk, int(scenario.seconds / step_seconds))
    parts, looks = [], []
    for first in range(0, runs, chunk):
        draw, number = np.random.default_rng([seed, first]), min(chunk, runs - first)
        questions = draw_questions(scenario, number, draw, only_arms=share < 1)
        done, _ = complete(scenario, questions, number, draw, with_stable=with_stable)
        done = done + questions.elsewhere
        at = {CONTROL: edges, CANDIDATE: candidate_edges(edges), STABLE: edges}
        if scenario.sticky:  # else users are nobody in particular
            of_arms = (at[CONTROL], at[CANDIDATE])
            shown = (number, int(scenario.seconds / LOOK_SECONDS) + 1)
            is_trial, spreads = trials_and_spreads(questions, done, of_arms, shown)
            questions = replace(questions, is_trial=is_trial)
            looks.append(spreads)
        parts.append(
            [
                count(questions, done, at[arm], arm, (number, shape[1]), step_seconds)
                for arm in (CONTROL, CANDIDATE, STABLE)
            ]
        )
    joined = (_joined(list(arms)) for arms in zip(*parts, strict=True))
    return QueueCounts(*joined, edges, candidate_edges(edges), np.concatenate(looks, axis=3) if looks else None)


def arms_share(scenario: QueueScenario, *, with_stable: bool) -> float:
    """The share of the traffic that must be drawn: without stable, and with nothing that ties users, the arms' own."""
    is_free = not (with_stable or scenario.sticky or scenario.user_sigma) and scenario.dedicated
    return 2 * scenario.weight if is_free else 1.0


@dataclass(frozen=True, slots=True)
class StableHistory:
    """What was known of stable before the rollout."""

    edges: tuple[float, ...]
    memories: list[int]
    """How long slowness lasts, in seconds, as each run's gateway estimated it."""


def stable_history(scenario: QueueScenario, seed: int) -> StableHistory:
    """Two hours in which stable had all the traffic, and nothing was new; edges are those of all runs together."""
    before = replace(scenario, weight=0.0, cold=1.0, effect=NOTHING_WRONG, seconds=HISTORY_SECONDS)
    runs = max(2, min(PILOT_RUNS, int(PILOT_QUESTIONS / (before.rps * before.seconds))))
    draw = np.random.default_rng([seed, 1_000_003])
    questions = draw_questions(before, runs, draw)
    done, pod = complete(before, questions, runs, draw)
    return StableHistory(edges_of(done - questions.at), memories(questions, done, pod, before.seconds))


def complete(
    scenario: QueueScenario,
    questions: QueueQuestions,
    runs: int,
    draw: np.random.Generator,
    *,
    with_stable: bool = True,
) -> tuple[np.ndarray, np.ndarray]:
    """When every question is done, FAR for stable's where its pods were left out; and by which pod of its pool."""
    done, pod = np.full(len(questions.at), 2 * FAR), np.zeros(len(questions.at), int)
    for arms, pods, slots in pools(scenario):
        if not with_stable and arms == (STABLE,):
            continue
        stalls = draw_stalls((runs, pods), scenario.stall_seconds, STALL_EVERY_SECONDS, scenario.seconds, draw)
        mine = np.flatnonzero(np.isin(questions.arm, arms))
        row, run = _rows(questions.run[mine], runs)
        shape = (int(row.max(initial=-1)) + 1, runs)
        at, size = np.full(shape, FAR), np.zeros(shape)
        at[row, run], size[row, run] = questions.at[mine], questions.size[mine]
        done[mine], pod[mine] = (found[row, run] for found in completions(at, size, stalls, slots))
    return done, pod


def pools(scenario: QueueScenario) -> Iterator[tuple[tuple[int, ...], int, int]]:
    """(arms, pods, slots of a pod) of every pool."""
    stable = (STABLE,) if scenario.dedicated else (STABLE, CONTROL)
    yield stable, scenario.stable_pods, SLOTS
    yield (CANDIDATE,), scenario.pods, scenario.arm_slots
    if scenario.dedicated:
        yield (CONTROL,), scenario.pods, scenario.arm_slots


def _rows(run: np.ndarray, runs: int) -> tuple[np.ndarray, np.ndarray]:
    """(place within the run, run) of questions in order of runs."""
    first = np.searchsorted(run, np.arange(runs))
    return np.arange(len(run)) - first[run], run


def _joined(parts: list[ArmCounts]) -> ArmCounts:
    by_edge = (np.concatenate([getattr(part, name) for part in parts], axis=1) for name in ("within", "beyond"))
    by_run = (np.concatenate([getattr(part, name) for part in parts]) for name in ("done", "errors", "asked"))
    return ArmCounts(*by_edge, *by_run)

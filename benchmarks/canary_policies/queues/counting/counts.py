"""Questions and their ends come in; what the gateway shows every two seconds comes out, by arm and edge."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from benchmarks.canary_policies.queues.world.questions import QueueQuestions

from pitwall_crds.edges import LATENCY_EDGES
from pitwall_operator.gates import margin_edge
from pitwall_operator.gates.counting.edges import tail_edge
from pitwall_operator.gates.processes import FURTHER_PER_MILLE

STEP_SECONDS = 2.0
MARGIN_PERCENT = 10
GATED_PER_MILLE = 990
PER_MILLES = (*FURTHER_PER_MILLE, GATED_PER_MILLE)


@dataclass(frozen=True, slots=True)
class ArmCounts:
    """What became known in each step. At an edge a trial is known when it is done, or older than the edge."""

    within: np.ndarray
    """(edges, runs, steps) questions that took at most the edge."""
    beyond: np.ndarray
    """(edges, runs, steps) questions that take longer, done or not."""
    done: np.ndarray
    """(runs, steps) questions that ended, well or not."""
    errors: np.ndarray
    """(runs, steps) those that failed."""
    asked: np.ndarray
    """(runs, steps) questions that arrived."""

    @property
    def trials(self) -> np.ndarray:
        """(edges, runs, steps) whatever is known at an edge."""
        return self.within + self.beyond

    @classmethod
    def one_after_the_other(cls, parts: Sequence["ArmCounts"]) -> "ArmCounts":
        """The same runs, further steps."""
        return cls(*(np.concatenate([getattr(part, name) for part in parts], axis=-1) for name in cls.__slots__))

    def of_runs(self, which: np.ndarray) -> "ArmCounts":
        """Some of the runs."""
        by_edge = (self.within[:, which], self.beyond[:, which])
        return ArmCounts(*by_edge, self.done[which], self.errors[which], self.asked[which])


def count(
    questions: QueueQuestions,
    done: np.ndarray,
    edges: Sequence[float],
    arm: int,
    shape: tuple[int, int],
    step_seconds: float = STEP_SECONDS,
) -> ArmCounts:
    """One arm's counts; `shape` is (runs, steps). Questions that are no trials were only asked."""
    mine = questions.arm == arm
    per_step = partial(_per_step, shape=shape, step_seconds=step_seconds)
    asked = per_step(questions.run[mine], questions.at[mine])
    mine &= questions.is_trial
    run, at, end, failing = questions.run[mine], questions.at[mine], done[mine], questions.failing[mine]
    within, beyond = [], []
    for edge in edges:
        slow = end - at > edge
        within.append(per_step(run[~slow], end[~slow]))
        beyond.append(per_step(run[slow], at[slow] + edge))
    return ArmCounts(
        np.stack(within), np.stack(beyond), per_step(run, end), per_step(run[failing], end[failing]), asked
    )


def _per_step(run: np.ndarray, when: np.ndarray, shape: tuple[int, int], step_seconds: float) -> np.ndarray:
    step = (when / step_seconds).astype(np.int64)
    seen = step < shape[1]
    flat = run[seen] * shape[1] + step[seen]
    return np.bincount(flat, minlength=shape[0] * shape[1]).reshape(shape).astype(np.int32)


def edges_of(latencies: np.ndarray) -> tuple[float, ...]:
    """A history's edges: the quantiles, rounded up to bucket edges as the operator does."""
    cumulative = np.searchsorted(np.sort(latencies), LATENCY_EDGES, side="right").tolist()
    return tuple(tail_edge(LATENCY_EDGES, [*cumulative, len(latencies)], per_mille) for per_mille in PER_MILLES)


def candidate_edges(edges: Sequence[float]) -> tuple[float, ...]:
    """Where the candidate's bad events begin: a margin above."""
    return tuple(margin_edge(LATENCY_EDGES, edge, MARGIN_PERCENT) for edge in edges)

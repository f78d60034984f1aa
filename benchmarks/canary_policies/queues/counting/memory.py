"""Stable's history comes in; how long the gateway's own estimator says that slowness lasts comes out, per run."""

import numpy as np
from benchmarks.canary_policies.queues.world.questions import QueueQuestions

from pitwall_gateway.counting.memory import MemoryEstimator
from pitwall_operator.gates.counting.blocks import UNKNOWN_SECONDS


def memories(questions: QueueQuestions, done: np.ndarray, pod: np.ndarray, seconds: float) -> list[int]:
    """Least lengths of blocks, one per run of the history."""
    return [_memory(questions, done, pod, run, seconds) for run in range(int(questions.run.max()) + 1)]


def _memory(questions: QueueQuestions, done: np.ndarray, pod: np.ndarray, run: int, seconds: float) -> int:
    mine = np.flatnonzero((questions.run == run) & (done <= seconds))
    mine = mine[np.argsort(done[mine], kind="stable")]
    estimator = MemoryEstimator()
    for at, end, by in zip(questions.at[mine].tolist(), done[mine].tolist(), pod[mine].tolist(), strict=True):
        estimator.answered(f"pod-{by}", at, end - at)
    estimate = estimator.estimate(seconds)
    return estimate.memory_seconds if estimate else UNKNOWN_SECONDS

"""`python -m benchmarks.canary_policies.queues.sanity`: what simulated traffic looks like, to compare with real one."""

import sys
from itertools import product

import numpy as np
from benchmarks.canary_policies.queues.counting.counts import count, edges_of
from benchmarks.canary_policies.queues.simulate import complete
from benchmarks.canary_policies.queues.world.questions import CANDIDATE, CONTROL, STABLE, draw_questions
from benchmarks.canary_policies.queues.world.scenario import SLOTS, QueueScenario
from benchmarks.canary_policies.queues.world.trace import CONVERSATION, POISSON

RUNS = 40
BLOCKS = (5, 30, 120)


def main() -> int:
    """One line per world."""
    for burstiness, stall, weight in product((POISSON, CONVERSATION), (0.0, 3.0, 15.0), (0.1, 0.5)):
        scenario = QueueScenario(
            "sanity", weight=weight, dedicated=True, stall_seconds=stall, burstiness=burstiness, pods=1
        )
        name = "independent" if burstiness is POISSON else "conversation"
        sys.stdout.write(f"{name}, stalls {stall:g} s, {weight:.0%} of 2 rps: {_told(scenario)}\n")
    return 0


def _told(scenario: QueueScenario) -> str:
    draw = np.random.default_rng(1)
    questions = draw_questions(scenario, RUNS, draw)
    done, _ = complete(scenario, questions, RUNS, draw)
    parts = []
    for name, arm, pods in (("stable", STABLE, scenario.stable_pods), ("candidate", CANDIDATE, scenario.pods)):
        mine = questions.arm == arm
        if mine.any():
            busy = questions.size[mine].sum() / (RUNS * scenario.seconds * pods * SLOTS)
            p50, p99 = np.percentile((done - questions.at)[mine], [50, 99])
            parts.append(f"{name} busy {busy:.0%}, p50 {p50:.2f} s, p99 {p99:.1f} s")
    latency = (done - questions.at)[questions.arm == CONTROL]
    edges = edges_of(latency)
    shape = (RUNS, int(scenario.seconds))
    control = count(questions, done, edges, CONTROL, shape, 1.0).beyond
    candidate = count(questions, done, edges, CANDIDATE, shape, 1.0).beyond
    for index, quantile in ((0, "p50"), (4, "p99")):
        lags = ", ".join(f"{_lag(control[index], candidate[index], block):.2f} at {block} s" for block in BLOCKS)
        parts.append(f"signs of neighbors at the {quantile} correlate by {lags}")
    return "; ".join(parts)


def _lag(control: np.ndarray, candidate: np.ndarray, block: int) -> float:
    """Correlation of which arm had more slow questions in a block with that of the next, where both have a sign."""
    sums = [
        arm[:, : arm.shape[1] // block * block].reshape(RUNS, -1, block).sum(axis=2) for arm in (candidate, control)
    ]
    signs = np.sign(sums[0] - sums[1])
    both = signs[:, 1:] * signs[:, :-1]
    return float(both.sum() / max(np.abs(both).sum(), 1))


if __name__ == "__main__":
    raise SystemExit(main())

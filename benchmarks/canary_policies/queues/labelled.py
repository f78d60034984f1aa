"""Cells about what people think come in; trials as the ledger counts them come out, in the shape of other counts."""

from collections.abc import Sequence

import numpy as np
from benchmarks.canary_policies.queues.counting.counts import STEP_SECONDS, ArmCounts
from benchmarks.canary_policies.queues.counting.labels import LabelCounts, Labelling, label
from benchmarks.canary_policies.queues.grid import Measured, QueueCell
from benchmarks.canary_policies.queues.simulate import QueueCounts, complete
from benchmarks.canary_policies.queues.world.questions import CANDIDATE, CONTROL, STABLE, draw_questions

from pitwall_crds.names import Signal

SIGNALS = {Measured.THUMBS_DOWN: Signal.THUMBS_DOWN, Measured.FOLLOW_UP: Signal.FOLLOW_UP}


def labelled_counts(cells: Sequence[QueueCell], runs: int, seed: int) -> list[QueueCounts]:
    """As counts of failures, for each of some cells with the same traffic: a bad label is an error."""
    scenario = cells[0].scenario
    draw, shape = np.random.default_rng(seed), (runs, int(scenario.seconds / STEP_SECONDS))
    questions = draw_questions(scenario, runs, draw)
    done, _ = complete(scenario, questions, runs, draw)
    counted = label(questions, done, shape, draw, Labelling(effect=scenario.effect))

    def asked(arm: int) -> np.ndarray:
        mine = questions.arm == arm
        flat = questions.run[mine] * shape[1] + (questions.at[mine] / STEP_SECONDS).astype(int)
        return np.bincount(flat, minlength=shape[0] * shape[1]).reshape(shape)

    by_arm = {arm: asked(arm) for arm in (CONTROL, CANDIDATE, STABLE)}
    of_cells = (counted[(SIGNALS[cell.measured], cell.unit)] for cell in cells)
    return [QueueCounts(*(_arm(one, arm, by_arm[arm]) for arm in by_arm), (), ()) for one in of_cells]


def _arm(counted: LabelCounts, arm: int, asked: np.ndarray) -> ArmCounts:
    nothing = np.zeros((0, *asked.shape), np.int32)
    return ArmCounts(nothing, nothing, counted.bad[arm] + counted.good[arm], counted.bad[arm], asked)

"""A cell about what people think comes in; trials as the ledger counts them come out, in the shape of other counts."""

import numpy as np
from benchmarks.canary_policies.queues.counts import STEP_SECONDS, ArmCounts
from benchmarks.canary_policies.queues.grid import Measured, QueueCell
from benchmarks.canary_policies.queues.labels import LabelCounts, Labelling, label
from benchmarks.canary_policies.queues.questions import CANDIDATE, CONTROL, STABLE, draw_questions
from benchmarks.canary_policies.queues.simulate import QueueCounts, complete

from pitwall_crds.names import Signal

SIGNALS = {Measured.THUMBS_DOWN: Signal.THUMBS_DOWN, Measured.FOLLOW_UP: Signal.FOLLOW_UP}


def labelled_counts(cell: QueueCell, runs: int, seed: int) -> QueueCounts:
    """As counts of failures: a bad label is an error."""
    draw, shape = np.random.default_rng(seed), (runs, int(cell.scenario.seconds / STEP_SECONDS))
    questions = draw_questions(cell.scenario, runs, draw)
    done, _ = complete(cell.scenario, questions, runs, draw)
    labelling = Labelling(effect=cell.scenario.effect)
    counted = label(questions, done, shape, draw, labelling)[(SIGNALS[cell.measured], cell.unit)]

    def asked(arm: int) -> np.ndarray:
        mine = questions.arm == arm
        flat = questions.run[mine] * shape[1] + (questions.at[mine] / STEP_SECONDS).astype(int)
        return np.bincount(flat, minlength=shape[0] * shape[1]).reshape(shape)

    arms = (_arm(counted, arm, asked(arm)) for arm in (CONTROL, CANDIDATE, STABLE))
    return QueueCounts(*arms, (), ())


def _arm(counted: LabelCounts, arm: int, asked: np.ndarray) -> ArmCounts:
    nothing = np.zeros((0, *asked.shape), np.int32)
    return ArmCounts(nothing, nothing, counted.bad[arm] + counted.good[arm], counted.bad[arm], asked)

"""Greedy choice of rows whose volume, the determinant of their inner products, is large: fast MAP of a DPP.

Chen, Zhang & Zhou, NeurIPS 2018, algorithm 1: one row of a Cholesky factor per step, O(K² M + K M D).
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from pitwall_runtime.samplers.arithmetic.curve import Positions

RIDGE: Final = 1e-6
"""Added to the diagonal, so that equal rows keep the kernel positive definite."""

_LEAST_GAIN: Final = RIDGE
"""With the ridge no row adds less; what is below is a rounding error, and must not be divided by."""


def greedy_volume(
    rows: npt.NDArray[np.floating[Any]], count: int, bonus: npt.NDArray[np.floating[Any]] | None = None
) -> Positions:
    """`count` ≤ M rows [M, D], each argmax of log(the determinant's factor that it adds) + bonus, in that order."""
    factor = np.zeros((count, len(rows)), dtype=rows.dtype)
    wide = rows.astype(np.float64)  # rows of one length differ in the last digit, which must not choose the first
    gains = np.einsum("nd,nd->n", wide, wide) + RIDGE
    open_bonus = np.zeros(len(rows)) if bonus is None else bonus.astype(np.float64)
    picks = np.empty(count, dtype=np.int64)
    for step in range(count):
        pick = int(np.argmax(np.log(np.maximum(gains, _LEAST_GAIN)) + open_bonus))
        picks[step] = pick
        open_bonus[pick] = -np.inf
        kernel_row = rows @ rows[pick]
        kernel_row[pick] += RIDGE
        row = (kernel_row - factor[:step, pick] @ factor[:step]) / np.sqrt(max(gains[pick], _LEAST_GAIN))
        factor[step] = row
        gains -= row.astype(np.float64) ** 2
    return picks

"""Determinantal point process: greedily adds the frame that makes the selection most relevant and most diverse.

Greedy MAP of L = diag(q) S diag(q), q = exp(sharpness * score / 2), S = cosine similarity (Kulesza & Taskar 2012).
Two ways to the same frames: the incremental Cholesky of Chen et al., NeurIPS 2018, O(K²N + KND); and `exact`, which
builds the kernel and its determinant anew for every remaining frame at every step: the textbook form, for comparison.
"""

from decimal import Decimal
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import Field

from pitwall_crds.resource import Border
from pitwall_runtime.media import Floats, Selection
from pitwall_runtime.samplers.contract import Input, Sampler, SamplerContext, Stability

Rows = npt.NDArray[np.float64]

_RIDGE = 1e-6
"""Added to the diagonal, so that equal frames keep the kernel positive definite."""


class DppParameters(Border):
    """How relevance weighs against difference, and which arithmetic."""

    sharpness: Annotated[Decimal, Field(ge=0, le=100, description="Weight of relevance; 0 is difference alone.")] = (
        Decimal(8)
    )
    exact: Annotated[bool, Field(description="Recompute every determinant instead of updating a Cholesky factor.")] = (
        False
    )


def select(context: SamplerContext, parameters: DppParameters) -> Selection:
    """Exactly `budget` frames, greedy MAP."""
    rows = _quality_rows(context.embeddings(), context.scores(), float(parameters.sharpness))
    greedy = _greedy_exact if parameters.exact else _greedy_cholesky
    return Selection.of(greedy(rows, context.budget))


def _quality_rows(embeddings: Floats, scores: Floats, sharpness: float) -> Rows:
    """Rows whose inner products are the kernel: L = rows rowsᵀ."""
    quality = np.exp(0.5 * sharpness * (scores - scores.max()).astype(np.float64))
    rows: Rows = np.nan_to_num(embeddings.astype(np.float64)) * quality[:, None]
    return rows


def _greedy_cholesky(rows: Rows, count: int) -> list[int]:
    """Chen et al. 2018, algorithm 1: one row of the Cholesky factor, and one of the kernel, per step."""
    factor = np.zeros((count, len(rows)))
    gains = np.einsum("nd,nd->n", rows, rows) + _RIDGE
    chosen: list[int] = []
    for step in range(count):
        pick = int(np.argmax(gains))
        kernel_row = rows @ rows[pick]
        kernel_row[pick] += _RIDGE
        row = (kernel_row - factor[:step, pick] @ factor[:step]) / np.sqrt(max(gains[pick], _RIDGE * _RIDGE))
        factor[step] = row
        gains -= row**2
        gains[[*chosen, pick]] = -np.inf
        chosen.append(pick)
    return chosen


def _greedy_exact(rows: Rows, count: int) -> list[int]:
    """The definition: argmax over the remaining frames of log det L[chosen + frame]."""
    chosen: list[int] = []
    remaining = list(range(len(rows)))
    for _ in range(count):
        volumes = [_log_volume(rows[[*chosen, frame]]) for frame in remaining]
        chosen.append(remaining.pop(int(np.argmax(volumes))))
    return chosen


def _log_volume(rows: Rows) -> float:
    """log det of the frames' kernel, from its eigenvalues: near-equal frames do not upset it."""
    eigenvalues = np.linalg.eigvalsh(rows @ rows.T + _RIDGE * np.eye(len(rows)))
    return float(np.log(np.maximum(eigenvalues, _RIDGE * _RIDGE)).sum())


SAMPLER = Sampler(
    name="dpp",
    select=select,
    parameters=DppParameters,
    contract=1,
    stability=Stability.BETA,
    summary="Adds, one by one, the frame that is most relevant and least like those already chosen.",
    source="Chen et al., NeurIPS 2018; Kulesza and Taskar 2012",
    uses=frozenset({Input.SCORES, Input.EMBEDDINGS}),
)

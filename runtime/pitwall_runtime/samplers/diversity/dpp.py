"""Determinantal point process: greedily adds the frame that makes the selection most relevant and most diverse.

Greedy MAP of L = diag(q) S diag(q), q = exp(sharpness * score / 2), S = cosine similarity (Kulesza & Taskar 2012).
Two ways to the same frames: the incremental Cholesky of Chen et al., NeurIPS 2018, O(K²N + KND); and `exact`, which
builds the kernel and its determinant anew for every remaining frame at every step: the textbook form, for comparison.
"""

from decimal import Decimal
from typing import Annotated

import numpy as np
from pydantic import Field

from pitwall_crds.resource import Border
from pitwall_runtime.media import Floats, Selection
from pitwall_runtime.samplers.arithmetic.curve import Positions, candidates
from pitwall_runtime.samplers.arithmetic.volume import RIDGE, greedy_volume
from pitwall_runtime.samplers.contract import Input, Sampler, SamplerContext, Stability


class DppParameters(Border):
    """How relevance weighs against difference, and which arithmetic."""

    sharpness: Annotated[Decimal, Field(ge=0, le=100, description="Weight of relevance; 0 is difference alone.")] = (
        Decimal(8)
    )
    candidates: Annotated[
        int, Field(ge=1, le=100_000, description="Frames compared with each other: half evenly spread, half the best.")
    ] = 1024
    exact: Annotated[bool, Field(description="Recompute every determinant instead of updating a Cholesky factor.")] = (
        False
    )


def select(context: SamplerContext, parameters: DppParameters) -> Selection:
    """Exactly `budget` frames, greedy MAP."""
    scores = context.scores()
    pool = candidates(scores, max(parameters.candidates, context.budget))
    rows = quality_rows(context.embeddings(pool), scores[pool], float(parameters.sharpness))
    picks = _greedy_exact(rows, context.budget) if parameters.exact else greedy_volume(rows, context.budget)
    return Selection.of(pool[picks])


def quality_rows(embeddings: Floats, scores: Floats, sharpness: float) -> Floats:
    """Rows [M, D] whose inner products are the kernel: L = rows rowsᵀ."""
    quality = np.exp(0.5 * sharpness * (scores - scores.max()))
    rows: Floats = embeddings * quality[:, None].astype(np.float32)
    return rows


def _greedy_exact(rows: Floats, count: int) -> Positions:
    """The definition: argmax over the remaining frames of log det L[chosen + frame]."""
    chosen: list[int] = []
    remaining = list(range(len(rows)))
    for _ in range(count):
        volumes = [_log_volume(rows[[*chosen, frame]]) for frame in remaining]
        chosen.append(remaining.pop(int(np.argmax(volumes))))
    return np.array(chosen)


def _log_volume(rows: Floats) -> float:
    """log det of the frames' kernel, from its eigenvalues: near-equal frames do not upset it."""
    wide = rows.astype(np.float64)
    eigenvalues = np.linalg.eigvalsh(wide @ wide.T + RIDGE * np.eye(len(rows)))
    return float(np.log(np.maximum(eigenvalues, RIDGE * RIDGE)).sum())


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

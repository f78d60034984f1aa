"""MDP3: shares the budget among stretches of the video by dynamic programming over determinantal point processes.

Sun et al., ICCV 2025 (arXiv 2501.02885): a stretch's gain is relevance plus the volume of its frames given the last
frame chosen before it, k(x, y) = Σ exp(-|x - y|² / 2a) over five widths a. All start counts of a stretch are one batch.
Two things differ from the published code: the last frame before is given, not counted once more for every stretch,
and a pool need not be a multiple of the stretch.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Final

import numpy as np
from pydantic import Field

from pitwall_crds.resource import Border
from pitwall_runtime.media import Floats, Selection
from pitwall_runtime.samplers.arithmetic.curve import Curve, Positions, candidates
from pitwall_runtime.samplers.contract import Input, Sampler, SamplerContext, Stability

_WIDTHS: Final = tuple(2.0**power for power in range(-3, 2))
_LEAST: Final = 1e-6
"""Of a squared diagonal of the Cholesky factor: equal frames add next to nothing, and divide by no rounding error."""


class Mdp3Parameters(Border):
    """As in the paper; decimals travel as strings."""

    diversity: Annotated[
        Decimal, Field(gt=0, le=100, description="λ: relevance weighs 2 / λ against the logarithm of the volume.")
    ] = Decimal("0.2")
    stretch_frames: Annotated[int, Field(ge=1, le=256, description="Candidates in a stretch.")] = 32
    candidates: Annotated[
        int, Field(ge=1, le=2048, description="Frames compared with each other: half evenly spread, half the best.")
    ] = 128


@dataclass(frozen=True, slots=True)
class Plans:
    """The best way found to every number of frames n = 0..K so far: its value, and its frames in `picks[n, :n]`."""

    values: Curve
    picks: Positions


def kernel(squared_distances: Curve) -> Curve:
    """Sum of five Gaussians of different widths; 5 at distance 0."""
    total = np.zeros_like(squared_distances)
    for width in _WIDTHS:
        total += np.exp(squared_distances / (-2 * width))
    return total


def choose(scores: Floats, rows: Floats, budget: int, parameters: Mdp3Parameters) -> Positions:
    """`budget` ≤ M of M frames in time order: cosines with the question [M], unit rows [M, D]."""
    likeness = kernel(_squared_distances(rows.astype(np.float64)))
    relevance = 2.0 / float(parameters.diversity) * np.log(kernel(np.maximum(2.0 - 2.0 * scores.astype(np.float64), 0)))
    plans = Plans(np.full(budget + 1, -np.inf), np.zeros((budget + 1, budget), dtype=np.int64))
    plans.values[0] = 0.0
    for start in range(0, len(rows), parameters.stretch_frames):
        stretch = np.arange(start, min(start + parameters.stretch_frames, len(rows)))
        plans = _extended(plans, stretch, likeness, relevance)
    return np.sort(plans.picks[budget])


def _squared_distances(rows: Curve) -> Curve:
    lengths = np.einsum("nd,nd->n", rows, rows)
    squares: Curve = np.maximum(lengths[:, None] + lengths[None, :] - 2.0 * (rows @ rows.T), 0.0)
    np.fill_diagonal(squares, 0.0)
    return squares


def _extended(plans: Plans, stretch: Positions, likeness: Curve, relevance: Curve) -> Plans:
    """The best plans with 0 to all frames of one more stretch."""
    starts = np.flatnonzero(plans.values > -np.inf)
    counts, numbers = np.arange(len(plans.values)), np.arange(len(stretch) + 1)
    gains = np.full((len(counts), len(numbers)), -np.inf)
    orders = np.zeros((len(counts), len(stretch)), dtype=np.int64)
    gains[starts], orders[starts] = _greedy(plans, starts, stretch, likeness, relevance)
    before = counts[:, None] - numbers[None, :]
    reach = np.maximum(before, 0)
    totals = np.where(before >= 0, plans.values[reach] + gains[reach, numbers], -np.inf)
    from_here = totals.argmax(axis=1)
    picks = np.zeros_like(plans.picks)
    for count, number in zip(counts.tolist(), from_here.tolist(), strict=True):
        start = count - number
        picks[count, :start] = plans.picks[start, :start]
        picks[count, start:count] = np.sort(orders[start, :number])
    return Plans(totals[counts, from_here], picks)


def _greedy(
    plans: Plans, starts: Positions, stretch: Positions, likeness: Curve, relevance: Curve
) -> tuple[Curve, Positions]:
    """For each start [S], the value of its 0..C best frames of the stretch [S, C + 1], and which they are [S, C].

    Greedy, the frame that was chosen last before it given: one row of S Cholesky factors at a time.
    """
    size, rows = len(stretch), np.arange(len(starts))
    inside = likeness[np.ix_(stretch, stretch)]
    last = plans.picks[starts, np.maximum(starts - 1, 0)]
    given = np.where((starts > 0)[:, None], likeness[np.ix_(last, stretch)] / np.sqrt(likeness[0, 0]), 0.0)
    left = np.maximum(inside[0, 0] - given**2, _LEAST)
    factor = np.zeros((len(starts), size + 1, size))
    factor[:, 0] = given
    open_relevance = np.broadcast_to(relevance[stretch], left.shape).copy()
    gains, orders = np.zeros((len(starts), size + 1)), np.zeros((len(starts), size), dtype=np.int64)
    most = min(size, plans.picks.shape[1])
    for step in range(most):
        values = np.log(left) + open_relevance
        pick = values.argmax(axis=1)
        gains[:, step + 1] = gains[:, step] + values[rows, pick]
        orders[:, step] = stretch[pick]
        before = factor[:, : step + 1]
        explained = np.matmul(before[rows, :, pick][:, None, :], before)[:, 0]
        row = (inside[pick] - explained) / np.sqrt(left[rows, pick])[:, None]
        factor[:, step + 1] = row
        left = np.maximum(left - row**2, _LEAST)
        open_relevance[rows, pick] = -np.inf
    return gains, orders


def select(context: SamplerContext, parameters: Mdp3Parameters) -> Selection:
    """Exactly `budget` frames."""
    scores = context.scores()
    pool = candidates(scores, max(parameters.candidates, context.budget))
    picks = choose(scores[pool], context.embeddings(pool), context.budget, parameters)
    return Selection.of(pool[picks])


SAMPLER = Sampler(
    name="mdp3",
    select=select,
    parameters=Mdp3Parameters,
    contract=1,
    stability=Stability.BETA,
    summary="Dynamic programming shares the budget among stretches; in each, relevant frames that span a volume.",
    source="Sun et al., ICCV 2025, arXiv 2501.02885",
    uses=frozenset({Input.SCORES, Input.EMBEDDINGS}),
)

"""GIFT: takes frames that no more relevant frame can replace: relevance times distance to the nearest better one.

Zheng et al., CVPR 2026 (arXiv 2603.25072). In rounds: the best few are taken away and the distances computed anew, so
that with a growing budget frames around the first ones come in. The paper compares 128 evenly spread candidates.
"""

from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import Field

from pitwall_crds.resource import Border
from pitwall_runtime.media import Floats, Selection
from pitwall_runtime.samplers.arithmetic.curve import Curve, Positions, candidates, unit_range
from pitwall_runtime.samplers.contract import Input, Sampler, SamplerContext, Stability


class GiftParameters(Border):
    """Rounds as in the paper."""

    round_size: Annotated[int, Field(ge=1, le=1024, description="Frames taken before distances are computed anew.")] = 9
    candidates: Annotated[
        int, Field(ge=1, le=4096, description="Frames compared with each other: half evenly spread, half the best.")
    ] = 256


def choose(relevance: Curve, rows: Floats, budget: int, round_size: int) -> Positions:
    """`budget` ≤ M of M rows [M, D], in the order of choice; relevance [M] from 0 to 1."""
    order = np.argsort(-relevance, kind="stable")
    ranked, distances = relevance[order], _squared_distances(rows[order])
    left = np.arange(len(order))
    picks: list[int] = []
    while len(picks) < budget:
        scores = ranked[left] * directed_diversity(distances[np.ix_(left, left)])
        taken = np.argsort(-scores, kind="stable")[: min(round_size, budget - len(picks))]
        picks += order[left[taken]].tolist()
        left = np.delete(left, taken)
    return np.array(picks, dtype=np.int64)


def directed_diversity(distances: Floats) -> npt.NDArray[np.float32]:
    """Distance [M] to the nearest row before it in order of relevance; of the first, the greatest distance of all."""
    count = len(distances)
    hidden = np.where(np.tri(count, k=-1, dtype=bool), distances, np.float32(np.inf))
    nearest: npt.NDArray[np.float32] = hidden.min(axis=1)
    nearest[0] = distances.max()
    return nearest


def _squared_distances(rows: Floats) -> Floats:
    lengths = np.einsum("nd,nd->n", rows, rows)
    squares: Floats = lengths[:, None] + lengths[None, :] - 2.0 * (rows @ rows.T)
    return np.maximum(squares, 0.0)


def select(context: SamplerContext, parameters: GiftParameters) -> Selection:
    """Exactly `budget` frames."""
    scores = context.scores()
    pool = candidates(scores, max(parameters.candidates, context.budget))
    picks = choose(unit_range(scores)[pool], context.embeddings(pool), context.budget, parameters.round_size)
    return Selection.of(pool[picks])


SAMPLER = Sampler(
    name="gift",
    select=select,
    parameters=GiftParameters,
    contract=1,
    stability=Stability.BETA,
    summary="Frames that no more relevant frame resembles, in rounds.",
    source="Zheng et al., CVPR 2026, arXiv 2603.25072",
    uses=frozenset({Input.SCORES, Input.EMBEDDINGS}),
)

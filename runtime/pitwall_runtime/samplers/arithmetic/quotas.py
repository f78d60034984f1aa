"""Shares a budget among segments: proportional, whole numbers, none above what a segment holds, none lost."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pitwall_runtime.samplers.arithmetic.curve import Curve, Positions


def largest_remainders(weights: npt.NDArray[Any] | Sequence[float], total: int, capacities: Positions) -> Positions:
    """Quotas [G] that sum to min(total, Σ capacities), in proportion to the weights [G] ≥ 0.

    Whole parts first, then one each to the largest remainders (the earlier segment wins a tie); what does not fit into
    a segment is shared anew among those with room.
    """
    wanted = np.asarray(weights, dtype=np.float64)
    quotas = np.zeros(len(capacities), dtype=np.int64)
    missing = min(total, int(capacities.sum()))
    while missing > 0:
        room = capacities - quotas
        ideal = _ideal(wanted, room > 0, missing)
        overflowing = (ideal >= room) & (room > 0)
        if not overflowing.any():
            whole = np.floor(ideal + 1e-9).astype(np.int64)
            return _one_each(quotas + whole, ideal - whole, capacities, missing - int(whole.sum()))
        quotas[overflowing] = capacities[overflowing]
        missing -= int(room[overflowing].sum())
    return quotas


def _ideal(wanted: Curve, has_room: npt.NDArray[np.bool_], missing: int) -> Curve:
    """Exact shares of what is missing among those with room; equal ones where no weight is left."""
    open_weights = np.where(has_room, wanted, 0.0)
    if open_weights.sum() <= 0:
        open_weights = has_room.astype(np.float64)
    shares: Curve = open_weights / open_weights.sum() * missing
    return shares


def _one_each(quotas: Positions, remainders: Curve, capacities: Positions, missing: int) -> Positions:
    """One more for the largest remainders with room, in turns, until nothing is missing."""
    order = np.lexsort((np.arange(len(quotas)), -remainders))
    while missing > 0:
        takers = order[quotas[order] < capacities[order]][:missing]
        quotas[takers] += 1
        missing -= len(takers)
    return quotas

"""Chooses the histogram bucket edge beyond which a quantile gate counts an observation as bad.

Counting beyond an edge needs no interpolation: with edges 2.5 and 5 s, a p99 of 3.2 s is reported as 4.2 s.
"""

from collections.abc import Sequence
from math import inf

ROUNDING = 1e-9


def tail_edge(edges: Sequence[float], cumulative_counts: Sequence[int], per_mille: int) -> float:
    """The smallest edge that at least `per_mille` of the observations do not exceed.

    `cumulative_counts[i]` counts observations ≤ `edges[i]`; one more count, of all observations, may follow.
    Returns infinity where the quantile lies beyond the last edge. Raises ValueError without observations.
    """
    if len(cumulative_counts) not in (len(edges), len(edges) + 1) or not edges:
        raise ValueError(f"expected {len(edges)} or {len(edges) + 1} cumulative counts, got {len(cumulative_counts)}")
    observations = cumulative_counts[-1]
    if observations <= 0:
        raise ValueError("a tail edge needs the control's history, got 0 observations; wait for traffic")
    return next(
        (
            edge
            for edge, count in zip(edges, cumulative_counts, strict=False)
            if 1000 * count >= per_mille * observations
        ),
        inf,
    )


def highest_edge(edges: Sequence[float], margin_percent: int) -> float:
    """The largest control's edge for which the candidate's is one too; infinity if none."""
    return max((edge for edge in edges if margin_edge(edges, edge, margin_percent) < inf), default=inf)


def margin_edge(edges: Sequence[float], tau: float, margin_percent: int) -> float:
    """The smallest edge ≥ (1 + margin) · tau, where the candidate's bad events begin; infinity if none."""
    wanted = tau * (1 + margin_percent / 100)
    return next((edge for edge in edges if edge >= wanted * (1 - ROUNDING)), inf)

"""Where the buckets of what gateways and runtimes count end, which who counts and who judges must agree on."""

from typing import Final


def _geometric_edges(first: float, last: float, steps_per_doubling: int) -> tuple[float, ...]:
    """Bucket edges growing by 2**(1/steps) from first to at least last, rounded to 4 significant digits."""
    edges = [first]
    while edges[-1] < last:
        edges.append(first * 2 ** (len(edges) / steps_per_doubling))
    return tuple(float(f"{edge:.4g}") for edge in edges)


LATENCY_EDGES: Final = _geometric_edges(0.001, 64.0, 6)
"""Seconds. 12 % apart, so that a p99 gate can put its threshold within 12 % of any latency from 1 ms to 64 s."""

SELECTION_EDGES: Final = _geometric_edges(0.00001, 16.0, 3)
"""Seconds. Frame selection spans from arithmetic on cached scores to minutes of a model in the loop."""

TOKEN_EDGES: Final = _geometric_edges(16.0, 65_536.0, 4)

RATIO_EDGES: Final = tuple(
    sorted({round(1 / edge, 4) for edge in (1.05, 1.1, 1.15, 1.2, 1.25, 1.3, 1.5, 1.75, 2, 3, 5, 10)}
           | {1.0}
           | {1.05, 1.1, 1.15, 1.2, 1.25, 1.3, 1.5, 1.75, 2.0, 3.0, 5.0, 10.0})
)  # fmt: skip
"""Candidate divided by stable on the same query. Symmetric on a log scale, so that a sign test is exact."""

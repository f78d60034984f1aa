"""Latency distributions of simulated queries, and the bucket edges at which Pitwall's gate counts bad events."""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from pitwall_crds.edges import LATENCY_EDGES
from pitwall_operator.gates import margin_edge

TAIL = 0.01
MARGIN_PERCENT = 10


@dataclass(frozen=True, slots=True)
class LogNormal:
    """Most web latencies; sigma 0.6 makes the p99 four times the median, which is 1 s."""

    sigma: float = 0.6

    def survival(self, seconds):
        """P(latency > seconds)."""
        return ndtr(-np.log(seconds) / self.sigma)

    def upper_quantile(self, share):
        """The latency that this share of queries exceeds."""
        return np.exp(-self.sigma * ndtri(np.clip(share, 1e-300, 1)))


@dataclass(frozen=True, slots=True)
class Pareto:
    """A tail so heavy that the variance is infinite."""

    exponent: float = 1.5
    p99: float = 4.0

    def survival(self, seconds):
        """P(latency > seconds)."""
        return np.minimum(1.0, TAIL * (seconds / self.p99) ** -self.exponent)

    def upper_quantile(self, share):
        """The latency that this share of queries exceeds."""
        return self.p99 * (np.maximum(share, 1e-300) / TAIL) ** (-1 / self.exponent)


def gate_edges(law):
    """(control's edge, candidate's edge): the first bucket edge from the p99 on, and from 1.1 times that on."""
    p99 = float(law.upper_quantile(TAIL))
    control = next(edge for edge in LATENCY_EDGES if edge >= p99)
    return control, margin_edge(LATENCY_EDGES, control, MARGIN_PERCENT)

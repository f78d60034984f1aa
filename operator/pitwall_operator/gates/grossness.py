"""What is grossly slow by stable's record, where no control is loaded as the candidate is.

Wide enough that a healthy candidate is far within: under a higher load, at another time of the day, with longer videos.
"""

from typing import Final

from pitwall_crds.rollout.gate import Gate

FACTOR: Final = 3.0
"""So many times as slow as the gate's margin allows is gross; less may be the load."""
HIGHEST_PER_MILLE: Final = 750
"""The quantile of stable's record that counts, unless the gate's own is lower."""
FURTHER_SHARE: Final = 0.25
"""So much more of the candidate's questions must be slow than of stable's: more long videos, or fewer in a cache, are
no slow sampler."""


def per_mille(gate: Gate) -> int:
    """The quantile of stable's record that the candidate is held against."""
    return min(gate.quantile.per_mille, HIGHEST_PER_MILLE) if gate.quantile else 0


def limit(gate: Gate) -> float:
    """The share of the candidate's questions that may be grossly slow."""
    return 1 - per_mille(gate) / 1000 + FURTHER_SHARE


def factor(gate: Gate) -> float:
    """How many times as long as that quantile a grossly slow question takes, at least."""
    return FACTOR * (1 + gate.margin_percent / 100)

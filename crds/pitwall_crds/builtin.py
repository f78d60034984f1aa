"""What this version's runtime has built in, for those who must know it without the runtime."""

from collections.abc import Mapping
from typing import Final

SAMPLERS: Final[Mapping[str, frozenset[str]]] = {
    "uniform": frozenset(),
    "topk": frozenset(),
    "aks": frozenset({"peakThreshold", "deviationThreshold", "maxDepth"}),
    "dpp": frozenset({"sharpness", "exact"}),
}
"""Samplers and their parameters; the runtime's tests hold its catalogue to this table."""

DEFAULT_SAMPLER: Final = "aks"
"""Where a command line names none."""

REDUCERS: Final = frozenset({"pool", "none"})

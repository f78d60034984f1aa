"""What the runtime of this version has built in, for packages that do not import the runtime."""

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

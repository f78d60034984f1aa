"""One bet spread over several: the mean of e-values is an e-value, whatever they have to do with each other.

Vovk & Wang (Ann. Stat. 49, 2021, 1736): the mean is the only admissible symmetric way to merge e-values that may depend
on each other. It loses the logarithm of their number at most, and follows whichever of them is right.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from pitwall_operator.evidence.basis.counts import Counts
from pitwall_operator.evidence.basis.portfolio import log_mean_exp
from pitwall_operator.evidence.basis.process import EProcess, State


@dataclass(frozen=True, slots=True)
class MeanProcess:
    """The mean of several e-processes. Null: the intersection of theirs."""

    parts: tuple[EProcess, ...]
    peak_log_e: float = 0.0

    @property
    def log_e(self) -> float:
        """Natural logarithm of the evidence now."""
        return log_mean_exp([part.log_e for part in self.parts])

    def update(self, counts: Counts) -> Self:
        """The process after one more block."""
        after = replace(self, parts=tuple(part.update(counts) for part in self.parts))
        return replace(after, peak_log_e=max(self.peak_log_e, after.log_e))

    def to_state(self) -> State:
        """The numbers that carry it over a restart."""
        return {"parts": [part.to_state() for part in self.parts], "peak": repr(self.peak_log_e)}

    def restored(self, state: Mapping[str, Any]) -> Self:
        """This process with the numbers of `to_state`."""
        parts = tuple(part.restored(known) for part, known in zip(self.parts, state["parts"], strict=True))
        return replace(self, parts=parts, peak_log_e=float(state["peak"]))

"""Tests whether most of the candidate's questions are grossly slow, where no control is loaded as it is.

Stable's record says how slow its questions were when it served everybody, so a limit far beyond that is an absolute
one. A control that is loaded less is no measure of how slow the candidate may be. But what slows that down, too, is no
fault of the candidate's: where a control answers it must be better.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from pitwall_operator.evidence.basis.counts import Counts, EdgeTallies
from pitwall_operator.evidence.basis.process import EProcess, State


@dataclass(frozen=True, slots=True)
class GrossProcess:
    """The smaller of two e-values: of the candidate against its limit, and against the control where that answers.

    Null: the candidate's share beyond its edge is at most the limit, or at most the control's beyond its own.
    """

    alone: EProcess
    beside: EProcess
    has_control: bool = False
    peak_log_e: float = 0.0

    @property
    def log_e(self) -> float:
        """Natural logarithm of the evidence now."""
        return min(self.alone.log_e, self.beside.log_e) if self.has_control else self.alone.log_e

    def update(self, counts: Counts) -> Self:
        """The process after one more block."""
        seen = counts.gross
        if seen == EdgeTallies():
            return self
        after = replace(
            self,
            alone=self.alone.update(Counts(objective=seen.candidate)),
            beside=self.beside.update(Counts(seen.control, seen.candidate)),
            has_control=self.has_control or bool(seen.control.trials),
        )
        return replace(after, peak_log_e=max(self.peak_log_e, after.log_e))

    def to_state(self) -> State:
        """The numbers that carry it over a restart."""
        return {
            "alone": self.alone.to_state(),
            "beside": self.beside.to_state(),
            "control": self.has_control,
            "peak": repr(self.peak_log_e),
        }

    def restored(self, state: Mapping[str, Any]) -> Self:
        """This process with the numbers of `to_state`."""
        alone, beside = self.alone.restored(state["alone"]), self.beside.restored(state["beside"])
        return replace(
            self, alone=alone, beside=beside, has_control=bool(state["control"]), peak_log_e=float(state["peak"])
        )

"""An A/A test that runs beside the rollout and finds out whether two arms of the *same* sampler differ.

If the test for independent trials alarms between equal arms, queries of a block are correlated: set the gate's
dependence to Block. If even the block test alarms, arms differ for other reasons: give the control more pods, or make
blocks longer.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from pitwall_operator.evidence.basis.counts import Counts
from pitwall_operator.evidence.basis.portfolio import log_mean_exp
from pitwall_operator.evidence.basis.process import EProcess, State


@dataclass(frozen=True, slots=True)
class Calibration:
    """A harm process in both directions between the control and the stable sampler's other users.

    The mean of two e-processes is one, and alarms whichever of the arms is worse.
    """

    there: EProcess
    back: EProcess
    peak_log_e: float = 0.0

    @property
    def log_e(self) -> float:
        """Natural logarithm of the evidence now."""
        return log_mean_exp((self.there.log_e, self.back.log_e))

    def update(self, counts: Counts) -> Self:
        """The monitor after one more block; one in which an arm had no trials is skipped."""
        control, stable = counts.control, counts.stable
        if not (control.trials and stable.trials):
            return self
        there, back = self.there.update(Counts(stable, control)), self.back.update(Counts(control, stable))
        after = replace(self, there=there, back=back)
        return replace(after, peak_log_e=max(self.peak_log_e, after.log_e))

    def to_state(self) -> State:
        """The numbers that carry it over a restart."""
        return {"there": self.there.to_state(), "back": self.back.to_state(), "peak": repr(self.peak_log_e)}

    def restored(self, state: Mapping[str, Any]) -> Self:
        """This monitor with the numbers of `to_state`."""
        there, back = self.there.restored(state["there"]), self.back.restored(state["back"])
        return replace(self, there=there, back=back, peak_log_e=float(state["peak"]))

"""Evidence that speaks only where two processes both do.

The smaller of two e-values is an e-value under either null hypothesis: it is never larger than the one whose null is
true. So a proof by both holds against everything that one of them already excludes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from pitwall_operator.evidence.basis.counts import Counts
from pitwall_operator.evidence.basis.process import EProcess, State
from pitwall_operator.evidence.views import OfOthers


@dataclass(frozen=True, slots=True)
class BothProcess:
    """The minimum of two e-processes. Null: the union of theirs."""

    first: EProcess
    second: EProcess
    peak_log_e: float = 0.0

    @property
    def log_e(self) -> float:
        """Natural logarithm of the evidence now."""
        return min(self.first.log_e, self.second.log_e)

    def update(self, counts: Counts) -> Self:
        """The process after one more block."""
        after = replace(self, first=self.first.update(counts), second=self.second.update(counts))
        return replace(after, peak_log_e=max(self.peak_log_e, after.log_e))

    def to_state(self) -> State:
        """The numbers that carry it over a restart."""
        return {"first": self.first.to_state(), "second": self.second.to_state(), "peak": repr(self.peak_log_e)}

    def restored(self, state: Mapping[str, Any]) -> Self:
        """This process with the numbers of `to_state`."""
        first, second = self.first.restored(state["first"]), self.second.restored(state["second"])
        return replace(self, first=first, second=second, peak_log_e=float(state["peak"]))


@dataclass(frozen=True, slots=True)
class NotOneAlone(BothProcess):
    """The same bets twice, the second time without the bad trials of the one user who has most of them: what one user
    alone brought about is not proven. Null: that of the bets, of all users or of all but one."""

    @classmethod
    def of(cls, bets: EProcess) -> Self:
        """These bets, for all users and for all but one."""
        return cls(bets, OfOthers(bets))

    def withholds(self, log_threshold: float) -> bool:
        """Whether the bets have proven what all but one user do not show."""
        return self.first.peak_log_e >= log_threshold > self.peak_log_e

    def withholds_yet(self, log_threshold: float) -> bool:
        """Whether they do, and what came since has not taken it back."""
        return self.withholds(log_threshold) and self.first.log_e >= log_threshold

    def to_state(self) -> State:
        """The numbers that carry it over a restart; these bets may be a minimum of two themselves."""
        return {"all": self.first.to_state(), "others": self.second.to_state(), "peak": repr(self.peak_log_e)}

    def restored(self, state: Mapping[str, Any]) -> Self:
        """This process with the numbers of `to_state`, or with those of a version that knew all users together."""
        if "all" in state:
            return super(NotOneAlone, self).restored({**state, "first": state["all"], "second": state["others"]})
        if "first" in state and not isinstance(self.first, BothProcess):
            return super(NotOneAlone, self).restored(state)
        peak = float(state.get("peak", 0.0))
        return replace(self, first=self.first.restored(state), second=self.second.restored(state), peak_log_e=peak)

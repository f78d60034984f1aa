"""Adapter that presents a block of pairs as two arms, so that tests which allow correlation can judge pairs as well."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from pitwall_operator.evidence.basis.counts import Counts, Pairs, Tally
from pitwall_operator.evidence.basis.process import EProcess, State
from pitwall_operator.evidence.paired import Against


@dataclass(frozen=True, slots=True)
class PairsAsArms:
    """A split process fed with pairs: worse ones are the candidate's bad events, the opposite ones the control's."""

    process: EProcess
    against: Against

    @property
    def log_e(self) -> float:
        """Natural logarithm of the evidence now."""
        return self.process.log_e

    @property
    def peak_log_e(self) -> float:
        """The largest log_e ever."""
        return self.process.peak_log_e

    def update(self, counts: Counts) -> Self:
        """The process after one more block."""
        return replace(self, process=self.process.update(self.as_arms(counts.pairs)))

    def as_arms(self, pairs: Pairs) -> Counts:
        """The pairs as an arm of their own each."""
        return Counts(Tally(pairs.total, self.against.opposite(pairs)), Tally(pairs.total, pairs.worse))

    def to_state(self) -> State:
        """The numbers that carry it over a restart."""
        return self.process.to_state()

    def restored(self, state: Mapping[str, Any]) -> Self:
        """This process with the numbers of `to_state`."""
        return replace(self, process=self.process.restored(state))

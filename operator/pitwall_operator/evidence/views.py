"""Other views of the same block: at another edge, of the good trials, with those whose callers left, of pairs as two
arms, of small blocks put together.

Each wraps a process and changes only what it is shown, by a rule that looks at how many trials there are and never at
how they ended, or that counts as bad what others leave out. So what is an e-process on the shown counts is one on the
real ones.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from pitwall_operator.evidence.basis.counts import NOTHING, Counts, Pairs, Tally
from pitwall_operator.evidence.basis.process import EProcess, State
from pitwall_operator.evidence.paired import Against


@dataclass(frozen=True, slots=True)
class _View:
    """A process that is shown something else than the block."""

    process: EProcess

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
        return replace(self, process=self.process.update(self.shown(counts)))

    def shown(self, counts: Counts) -> Counts:
        """What the process sees of the block."""
        raise NotImplementedError

    def to_state(self) -> State:
        """The numbers that carry it over a restart."""
        return self.process.to_state()

    def restored(self, state: Mapping[str, Any]) -> Self:
        """This process with the numbers of `to_state`."""
        return replace(self, process=self.process.restored(state))


@dataclass(frozen=True, slots=True)
class AtEdge(_View):
    """Bad trials beyond a further edge of the histogram in place of the gate's own; nothing where there is no such."""

    index: int = 0

    def shown(self, counts: Counts) -> Counts:
        """The block at that edge."""
        if self.index >= len(counts.edges):
            return NOTHING
        at = counts.edges[self.index]
        return Counts(at.control, at.candidate, stable=at.stable, shared=counts.shared)


@dataclass(frozen=True, slots=True)
class OfGoodTrials(_View):
    """Good trials in place of bad ones, and the arms in each other's place.

    "The candidate's good rate is at least 1 / ρ of the control's" is "the control's good rate is at most ρ times the
    candidate's", which is what a process about bad trials proves of its candidate. `pooled`: the control is all of
    stable where that is alike, as for processes about single trials.
    """

    pooled: bool = False

    def shown(self, counts: Counts) -> Counts:
        """The block with good for bad, and control for candidate."""
        reference = counts.reference if self.pooled else counts.control
        return Counts(_good(counts.candidate), _good(reference))


@dataclass(frozen=True, slots=True)
class AtWorst(_View):
    """Questions of the candidate's whose callers left beyond the control's edge as slow ones: it may have hung."""

    def shown(self, counts: Counts) -> Counts:
        """The block with them."""
        return counts.at_worst


@dataclass(frozen=True, slots=True)
class OfOthers(_View):
    """Without the bad trials of the one user who has most of them. Whoever that is, the others' are an e-process where
    these are content; of who is left out nothing good is left out, so that the rate is at most theirs."""

    def shown(self, counts: Counts) -> Counts:
        """The block without them."""
        return counts.of_others


@dataclass(frozen=True, slots=True)
class InTime(_View):
    """All questions whose callers left as bad ones, of both arms alike."""

    def shown(self, counts: Counts) -> Counts:
        """The block with them."""
        return counts.in_time


@dataclass(frozen=True, slots=True)
class PairsAtWorst(_View):
    """Copies that are missing by their variant's own word as pairs in which it was worse."""

    def shown(self, counts: Counts) -> Counts:
        """The block with them."""
        return counts.pairs_at_worst


@dataclass(frozen=True, slots=True)
class PairsAsArms(_View):
    """Worse pairs as the candidate's bad events and the opposite ones as the control's, so that processes which allow
    correlation can judge pairs as well."""

    against: Against

    def shown(self, counts: Counts) -> Counts:
        """The pairs of the block."""
        return self.as_arms(counts.pairs)

    def as_arms(self, pairs: Pairs) -> Counts:
        """The pairs as an arm of their own each."""
        return Counts(Tally(pairs.total, self.against.opposite(pairs)), Tally(pairs.total, pairs.worse))


def _good(tally: Tally) -> Tally:
    return Tally(tally.trials, tally.trials - tally.bad)


@dataclass(frozen=True, slots=True)
class Carried(_View):
    """Counts wait until both arms have at least so many trials; then they are one block. Nothing is dropped.

    The rule treats the arms alike, so two equal arms stay exchangeable; it does not look at outcomes, so a block's
    factor is still expected to be at most 1.
    """

    least: int = 1
    waiting: Counts = NOTHING

    def update(self, counts: Counts) -> Self:
        """The process after one more block, or with more that waits."""
        waiting = counts if self.waiting is NOTHING else self.waiting + counts
        if min(waiting.control.trials, waiting.candidate.trials) < self.least:
            return replace(self, waiting=waiting)
        return replace(self, process=self.process.update(waiting), waiting=NOTHING)

    def shown(self, counts: Counts) -> Counts:
        """Only whole blocks are shown; see update."""
        return counts

    def to_state(self) -> State:
        """The numbers that carry it over a restart."""
        if self.waiting == NOTHING:
            return {"process": self.process.to_state()}
        return {"process": self.process.to_state(), "waiting": self.waiting.to_state()}

    def restored(self, state: Mapping[str, Any]) -> Self:
        """This process with the numbers of `to_state`."""
        waiting = Counts.from_state(state["waiting"]) if "waiting" in state else NOTHING
        return replace(self, process=self.process.restored(state["process"]), waiting=waiting)

"""The counts that the tests need (sufficient statistics): what one gate saw in one block, or in all blocks together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from operator import sub
from typing import Any

from pitwall_operator.evidence.basis.spread import ArmsSpread


@dataclass(frozen=True, slots=True)
class Tally:
    """One arm: trials, how many of them were bad, and the sum of their values (for gates on means)."""

    trials: int = 0
    bad: int = 0
    total: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.bad <= self.trials:
            raise ValueError(f"a tally needs 0 <= bad <= trials, got bad={self.bad} and trials={self.trials}")

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(self.trials + other.trials, self.bad + other.bad, self.total + other.total)

    @property
    def row(self) -> tuple[int, int, float]:
        """Its numbers in order."""
        return self.trials, self.bad, self.total

    def with_bad(self, more: int) -> "Tally":
        """This arm with so many more trials, all bad."""
        return Tally(self.trials + more, self.bad + more, self.total)

    def without_bad(self, fewer: int) -> "Tally":
        """This arm without so many of its bad trials, if it has them."""
        fewer = min(fewer, self.bad)
        return Tally(self.trials - fewer, self.bad - fewer, self.total)

    @property
    def rate(self) -> float:
        """Bad trials per trial; 0 if there is none."""
        return self.bad / self.trials if self.trials else 0.0

    @property
    def mean(self) -> float:
        """Value per trial; 0 if there is none."""
        return self.total / self.trials if self.trials else 0.0


@dataclass(frozen=True, slots=True)
class Pairs:
    """The same query answered by both: how often the candidate was worse, or better, by the margin."""

    total: int = 0
    worse: int = 0
    better: int = 0

    def __post_init__(self) -> None:
        if min(self.worse, self.better) < 0 or self.worse + self.better > self.total:
            raise ValueError(f"pairs need 0 <= worse + better <= total, got {self.worse} + {self.better}, {self.total}")

    def __add__(self, other: "Pairs") -> "Pairs":
        return Pairs(self.total + other.total, self.worse + other.worse, self.better + other.better)

    @property
    def row(self) -> tuple[int, int, int]:
        """Its numbers in order."""
        return self.total, self.worse, self.better


@dataclass(frozen=True, slots=True)
class EdgeTallies:
    """Both arms and stable at a further edge of a histogram: trials that are known there, and those beyond it."""

    control: Tally = Tally()
    candidate: Tally = Tally()
    stable: Tally = Tally()

    def __add__(self, other: "EdgeTallies") -> "EdgeTallies":
        return EdgeTallies(self.control + other.control, self.candidate + other.candidate, self.stable + other.stable)


@dataclass(frozen=True, slots=True)
class Abandoned:
    """Questions that are no trials, since their callers had enough of waiting before it was known on which side of
    their arm's edge they were. `late`: those of the candidate's that had waited beyond the control's edge; `excused`:
    those that it blames a video's server for, or had not prepared, and stable answered. `copies`: so many of the
    shadow's, by the same."""

    control: int = 0
    candidate: int = 0
    stable: int = 0
    late: int = 0
    excused: int = 0
    copies: int = 0

    def __add__(self, other: "Abandoned") -> "Abandoned":
        return Abandoned(
            self.control + other.control,
            self.candidate + other.candidate,
            self.stable + other.stable,
            self.late + other.late,
            self.excused + other.excused,
            self.copies + other.copies,
        )

    @property
    def row(self) -> tuple[int, ...]:
        """Its numbers in order."""
        return self.control, self.candidate, self.stable, self.late, self.excused, self.copies


@dataclass(frozen=True, slots=True)
class OfOne:
    """Of the candidate's bad trials those of the one user who has most of them: at the gate's own edge, beyond its
    objective, and grossly slow ones. Of several gateways each one's, since a user may ask them all."""

    candidate: int = 0
    objective: int = 0
    gross: int = 0

    def __add__(self, other: "OfOne") -> "OfOne":
        return OfOne(self.candidate + other.candidate, self.objective + other.objective, self.gross + other.gross)

    @property
    def row(self) -> tuple[int, ...]:
        """Its numbers in order."""
        return self.candidate, self.objective, self.gross


@dataclass(frozen=True, slots=True)
class UsersServed:
    """Users of candidate and control so far in the run, bad where their questions mostly fail."""

    control: Tally = Tally()
    candidate: Tally = Tally()

    def or_better(self, other: "UsersServed") -> "UsersServed":
        """The one that knows more users: a gateway that begins anew has yet to see whom it fails."""
        return other if other.candidate.trials >= self.candidate.trials else self

    @property
    def is_worse(self) -> bool:
        """Whether the candidate fails a larger part of its users."""
        return self.candidate.rate > self.control.rate


@dataclass(frozen=True, slots=True)
class Counts:
    """One gate's observations: both arms of the split, and the pairs of the shadow.

    Attributes:
        stable: the stable sampler's other users, judged like the control, which is the same sampler.
        objective: the candidate's trials, bad where they miss the gate's absolute objective.
        shared: whether nothing but chance tells control and stable apart: they answer from the same pods, or what is
            counted does not depend on pods.
        edges: the arms at further edges, for a gate on a whole distribution.
        spreads: what users differ by so far in the run, at the gate's own edge and at further ones; none where nobody
            says. Of two blocks the later one knows; a state does not keep it.
        abandoned: what is missing among the trials because callers left.
        caches: questions that an answer came for, bad where they were cold; empty where that does not matter. A state
            does not keep it.
        gross: the candidate's trials beyond an edge that is far from stable's record, and the control's beyond its own;
            where they are not loaded alike.
        uncompared: the candidate's trials that no control is like; they are in none of the others but `objective`.
        of_one: of the candidate's bad trials, those of one user.
        served: whom each arm fails so far in the run; of two blocks the one that knows more users.
    """

    control: Tally = Tally()
    candidate: Tally = Tally()
    pairs: Pairs = Pairs()
    stable: Tally = Tally()
    objective: Tally = Tally()
    shared: bool = False
    edges: tuple[EdgeTallies, ...] = ()
    spreads: tuple[ArmsSpread, ...] = ()
    abandoned: Abandoned = Abandoned()
    caches: EdgeTallies = EdgeTallies()
    uncompared: int = 0
    gross: EdgeTallies = EdgeTallies()
    of_one: OfOne = OfOne()
    served: UsersServed = UsersServed()

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.control + other.control,
            self.candidate + other.candidate,
            self.pairs + other.pairs,
            self.stable + other.stable,
            self.objective + other.objective,
            self.shared or other.shared,
            tuple(a + b for a, b in zip_longest(self.edges, other.edges, fillvalue=EdgeTallies())),
            other.spreads or self.spreads,
            abandoned=self.abandoned + other.abandoned,
            caches=self.caches + other.caches,
            uncompared=self.uncompared + other.uncompared,
            gross=self.gross + other.gross,
            of_one=self.of_one + other.of_one,
            served=self.served.or_better(other.served),
        )

    def of_candidate_since(self, before: "Counts") -> "Counts":
        """What was counted of the candidate alone after `before`, which is of the same run."""
        return Counts(
            candidate=Tally(*map(sub, self.candidate.row, before.candidate.row)),
            pairs=Pairs(*map(sub, self.pairs.row, before.pairs.row)),
            abandoned=Abandoned(*map(sub, self.abandoned.row, before.abandoned.row)),
        )

    @property
    def alone(self) -> "Counts":
        """What these counts say of the candidate where no control is like it."""
        uncompared = self.candidate.trials
        return Counts(objective=self.objective, uncompared=uncompared, gross=self.gross, of_one=self.of_one)

    @property
    def of_others(self) -> "Counts":
        """These counts without the bad trials of the one user who has most of them."""
        one, gross = self.of_one, self.gross
        return replace(
            self,
            candidate=self.candidate.without_bad(one.candidate),
            objective=self.objective.without_bad(one.objective),
            gross=replace(gross, candidate=gross.candidate.without_bad(one.gross)),
        )

    @property
    def trials(self) -> int:
        """All trials of the candidate's."""
        return self.candidate.trials + self.uncompared

    @property
    def reference(self) -> Tally:
        """What single trials of the candidate are compared with: the control, and all of stable where that is alike.
        Never what whole blocks are compared with: those need an arm of equal size."""
        return self.control + self.stable if self.shared else self.control

    @property
    def at_worst(self) -> "Counts":
        """These counts if each of the candidate's questions that had waited beyond the control's edge, and whose caller
        then left, would have gone on beyond its own."""
        return replace(self, candidate=self.candidate.with_bad(self.abandoned.late))

    @property
    def in_time(self) -> "Counts":
        """These counts if whoever left had waited beyond the edge: how many were not answered in time, be it since they
        did not wait so long."""
        left = self.abandoned
        return replace(
            self,
            control=self.control.with_bad(left.control),
            candidate=self.candidate.with_bad(left.candidate),
            stable=self.stable.with_bad(left.stable),
        )

    @property
    def pairs_at_worst(self) -> "Counts":
        """These counts if each copy that is no pair since a video's server is blamed for it had been worse."""
        pairs, missing = self.pairs, self.abandoned.copies
        return replace(self, pairs=Pairs(pairs.total + missing, pairs.worse + missing, pairs.better))

    def to_state(self) -> dict[str, Any]:
        """These counts as JSON: arms as [trials, bad, sum], sums as exact texts."""
        arms = (self.control, self.candidate, self.stable, self.objective)
        state: dict[str, Any] = {
            "arms": [_row(arm) for arm in arms],
            "pairs": list(self.pairs.row),
            "shared": self.shared,
        }
        if self.abandoned != Abandoned():
            state["abandoned"] = list(self.abandoned.row)
        if self.uncompared:
            state["uncompared"] = self.uncompared
        if self.of_one != OfOne():
            state["one"] = list(self.of_one.row)
        if self.served != UsersServed():
            state["served"] = [_row(self.served.control), _row(self.served.candidate)]
        if self.gross != EdgeTallies():
            state["gross"] = [_row(self.gross.control), _row(self.gross.candidate)]
        if self.edges:
            state["edges"] = [[_row(arm) for arm in (at.control, at.candidate, at.stable)] for at in self.edges]
        return state

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> "Counts":
        """The counts as `to_state` left them; arms that an older state does not know have no trials."""
        arms = [_tally(row) for row in state["arms"]]
        control, candidate, stable, objective = (*arms, *[Tally()] * (4 - len(arms)))
        edges = tuple(EdgeTallies(*(_tally(row) for row in rows)) for rows in state.get("edges", ()))
        pairs, abandoned = Pairs(*state["pairs"]), Abandoned(*state.get("abandoned", ()))
        shared, uncompared = state.get("shared", False), state.get("uncompared", 0)
        gross = EdgeTallies(*(_tally(row) for row in state.get("gross", ())))
        one = OfOne(*state.get("one", ()))
        served = UsersServed(*(_tally(row) for row in state.get("served", ())))
        return cls(
            control, candidate, pairs, stable, objective, shared, edges,
            abandoned=abandoned, uncompared=uncompared, gross=gross, of_one=one, served=served,
        )  # fmt: skip


def _row(tally: Tally) -> list[Any]:
    return [tally.trials, tally.bad, repr(tally.total)]


def _tally(row: Sequence[Any]) -> Tally:
    trials, bad, total = row
    return Tally(trials, bad, float(total))


NO_TRIALS = Tally()
NO_PAIRS = Pairs()
NOTHING = Counts()

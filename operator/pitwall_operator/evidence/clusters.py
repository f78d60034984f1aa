"""A further witness of harm, and of its absence: does more differ than what as many users like these differ by anyway?

An arm is drawn once for each user, not anew for each block. Where few users ask many questions each, the arm to which
those with the longer films happened to go is slower in every block: whoever tosses a coin for each block then sees an
endless row of heads. So the distance from the boundary must also be significant where users are the independent units:
over its standard error, with the design effects of both arms (Kish, Survey Sampling, 1965, 8.2), it must lie beyond a
quantile of Student's t for as many users as the smaller arm has. Of several edges one must, at a level divided among
them.

Whoever shows something else than all others makes an arm vary so much that harm would be within it: one user for ever,
with a twentieth of the trials. So it is as good for harm if most users differ: the same without the few of each arm who
are farthest from its mean, in the mean and in the variance (Yuen, Biometrika 61, 1974). To leave them out of the
variance alone would be to take heavy tails for light ones.

Harm is what differs since the bets last had nothing to show, so that what was well before does not hide what is wrong
now; that there is none is a matter of the whole stage. A likelihood ratio of e needs a distance of some √(2 ln e)
standard errors, if trials are independent: users who ask little take nothing from the power.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import zip_longest
from math import inf, log, sqrt
from typing import Any, Self

from scipy.special import stdtr

from pitwall_operator.evidence.basis.counts import NOTHING, Counts, EdgeTallies, Tally
from pitwall_operator.evidence.basis.null_boundary import Claim, NullBoundary
from pitwall_operator.evidence.basis.process import EProcess, State
from pitwall_operator.evidence.basis.spread import ArmsSpread, UserSpread

UNKNOWN = ArmsSpread()
EVEN = NullBoundary()
LOOKS = {Claim.HARM: 1, Claim.NON_INFERIOR: 2}
"""How many times as often as at one look users lie beyond p at some look. Harm is looked for at so low a level that
this is far within it; in simulations a stage was passed in up to 8 % where 5 % were asked for."""
SECOND_LOOK = 4
"""So many times p counts where most users are asked after all were. Of simulated twins with few users who differ much
at most 0.6 % were taken for harmful then, and 1.6 % where it counted once; as many harmful ones were found as ever."""


@dataclass(frozen=True, slots=True)
class UsersProcess:
    """Evidence that speaks only where users agree: the smaller of a process's and of 1 / p of the difference between
    users. Null: that of the process, or that the arms' users differ as much as any that are drawn.

    Attributes:
        boundary: where the candidate's rate or mean is just not what is claimed.
        spreads: what users differ by at each edge, the gate's own first; none where gateways do not say.
        since: both arms since the bets last had nothing to show; of the whole stage where no harm is claimed.
    """

    process: EProcess
    boundary: NullBoundary = EVEN
    claim: Claim = Claim.HARM
    spreads: tuple[ArmsSpread, ...] = ()
    since: Counts = NOTHING
    peak_log_e: float = 0.0

    @property
    def log_e(self) -> float:
        """Natural logarithm of the evidence now."""
        return min(self.process.log_e, self.log_users)

    @property
    def log_users(self) -> float:
        """How clearly users differ between the arms, ln(1 / p); infinite where nothing is known of them."""
        seen = self.since
        edges = (EdgeTallies(seen.control, seen.candidate, seen.stable if seen.shared else Tally()), *seen.edges)
        known = [
            self._log_p(at, spread.filled()) for at, spread in zip(edges, self.spreads, strict=False) if spread.is_known
        ]
        most = [
            self._log_p_of_most(at, spread) - log(SECOND_LOOK)
            for at, spread in zip(edges, self.spreads, strict=False)
            if self.claim is Claim.HARM and spread.tells_most
        ]
        return max(known + most) - log(LOOKS[self.claim] * len(self.spreads)) if known else inf

    @property
    def users(self) -> float:
        """Of the smaller arm: so many with equally many trials would say as much; infinite where it is not known."""
        known = [spread.filled() for spread in self.spreads if spread.is_known]
        return min((min(spread.control.users, spread.candidate.users) for spread in known), default=inf)

    def withholds(self, log_threshold: float) -> bool:
        """Whether the bets have proven what users do not show yet."""
        return self.process.log_e >= log_threshold > self.log_users

    def update(self, counts: Counts) -> Self:
        """The process after one more block."""
        process = self.process.update(counts)
        looked_at = counts.spreads if self.claim is Claim.HARM else counts.spreads[:1]
        pairs = zip_longest(self.spreads, looked_at, fillvalue=UNKNOWN)
        after = replace(
            self,
            process=process,
            spreads=tuple(old.or_better(new) for old, new in pairs),
            since=self.since + self._compared(counts) if self._goes_on(process) else NOTHING,
        )
        return replace(after, peak_log_e=max(self.peak_log_e, after.log_e))

    def to_state(self) -> State:
        """The numbers that carry it over a restart."""
        users: State = {"peak": repr(self.peak_log_e)}
        if self.since != NOTHING:
            users["since"] = self.since.to_state()
        if self.spreads:
            users["spreads"] = [spread.to_state() for spread in self.spreads]
        return {**self.process.to_state(), "users": users}

    def restored(self, state: Mapping[str, Any]) -> Self:
        """This process with the numbers of `to_state`, or with those of a version that asked no users."""
        process = self.process.restored(state)
        users = state.get("users", {"peak": repr(process.peak_log_e)})
        return replace(
            self,
            process=process,
            spreads=tuple(map(ArmsSpread.from_state, users.get("spreads", ()))),
            since=Counts.from_state(users["since"]) if "since" in users else NOTHING,
            peak_log_e=float(users["peak"]),
        )

    def _goes_on(self, process: EProcess) -> bool:
        return self.claim is Claim.NON_INFERIOR or process.log_e > 0

    def _compared(self, counts: Counts) -> Counts:
        """Both arms, and stable's other users where nothing but chance tells them from the control's."""
        further = counts.edges if self.claim is Claim.HARM else ()
        if counts.shared:
            return Counts(counts.control, counts.candidate, stable=counts.stable, shared=True, edges=further)
        edges = tuple(EdgeTallies(at.control, at.candidate) for at in further)
        return Counts(counts.control, counts.candidate, edges=edges)

    def _log_p(self, at: EdgeTallies, spread: ArmsSpread) -> float:
        """ln(1 / p) of the candidate's lying where it is claimed to lie, one-sided."""
        control, reference, candidate = at.control, at.control + at.stable, at.candidate
        if not (control.trials and candidate.trials):
            return 0.0
        users = min(spread.candidate.users, spread.control.users * reference.trials / control.trials)
        design = spread.control.design_of(control.trials)
        arms = _Arm.of(reference, spread.control, design), _Arm.of(candidate, spread.candidate)
        return self._surprise(*arms, users)

    def _log_p_of_most(self, at: EdgeTallies, spread: ArmsSpread) -> float:
        """The same of most users; those of stable are not known. The few who are left out may be gone by now, or have
        come since, so the difference must also be there between all users."""
        if not (at.control.trials and at.candidate.trials):
            return 0.0
        control, candidate = spread.control.of_most(), spread.candidate.of_most()
        users = min(control.users, candidate.users)
        arms = _Arm.of(at.control, control), _Arm.of(at.candidate, candidate)
        moved = (arms[0].moved(control.shift), arms[1].moved(candidate.shift))
        return min(self._surprise(*arms, users), self._surprise(*moved, users))

    def _surprise(self, control: "_Arm", candidate: "_Arm", users: float) -> float:
        """ln(1 / p), for so many users in the smaller arm."""
        worse = candidate.value - self.boundary.height(control.value)
        distance = worse if self.claim is Claim.HARM else -worse
        if distance <= 0:
            return 0.0
        variance = candidate.variance + self.boundary.ratio**2 * control.variance
        chance = float(stdtr(max(1.0, users - 1), -distance / sqrt(variance))) if variance else 0.0
        return -log(chance) if chance else inf


@dataclass(frozen=True, slots=True)
class _Arm:
    """The rate or mean of an arm, and its variance."""

    value: float
    variance: float

    @classmethod
    def of(cls, tally: Tally, spread: UserSpread, design: float = 0.0) -> Self:
        """A part of the run may differ from all of it in how often trials are bad."""
        design = design or spread.design_of(tally.trials)
        return cls(
            tally.total / tally.trials if tally.total else tally.rate,
            design * max(spread.variance, tally.rate * (1 - tally.rate)) / tally.trials,
        )

    def moved(self, shift: float) -> Self:
        """At the value of most users."""
        return replace(self, value=self.value + shift)

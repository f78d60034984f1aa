"""How many users each arm got, and how many it should, in; evidence that the split is not the configured one out.

Sequential sample-ratio mismatch: Dirichlet-multinomial Bayes factor, Lindon & Malek (NeurIPS 2022, arXiv 2011.03567).
Count users or sessions: queries of one user come together, and would raise false alarms.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import lgamma, log
from typing import Any, Self

from pitwall_operator.evidence.process import State, decimals, texts

CONCENTRATION = 100.0
"""Prior users per split: deviations of about a tenth are looked for first."""


def log_bayes_factor(users: Sequence[int], shares: Sequence[float]) -> float:
    """ln of P(counts | shares unknown, near the configured ones) / P(counts | configured shares)."""
    log_factor = lgamma(CONCENTRATION) - lgamma(CONCENTRATION + sum(users))
    for count, share in zip(users, shares, strict=True):
        prior = CONCENTRATION * share
        log_factor += lgamma(prior + count) - lgamma(prior) - count * log(share)
    return log_factor


@dataclass(frozen=True, slots=True)
class MismatchProcess:
    """Evidence over all splits so far; a new split starts new counts and keeps what the earlier ones showed."""

    shares: tuple[float, ...] = ()
    users: tuple[int, ...] = ()
    earlier_log_e: float = 0.0
    peak_log_e: float = 0.0

    @property
    def log_e(self) -> float:
        """Natural logarithm of the evidence now."""
        return self.earlier_log_e + (log_bayes_factor(self.users, self.shares) if self.shares else 0.0)

    def update(self, users: Sequence[int], shares: Sequence[float]) -> Self:
        """The process after one more block of new users per arm, under shares that add up to 1, all above 0."""
        if min(shares) <= 0 or abs(sum(shares) - 1) > 1e-6:
            raise ValueError(f"shares must be above 0 and add up to 1, got {tuple(shares)}")
        before = self
        if tuple(shares) != self.shares:
            nobody = (0,) * len(shares)
            before = replace(self, shares=tuple(shares), users=nobody, earlier_log_e=self.log_e)
        total = tuple(kept + new for kept, new in zip(before.users, users, strict=True))
        after = replace(before, users=total)
        return replace(after, peak_log_e=max(self.peak_log_e, after.log_e))

    def to_state(self) -> State:
        """The numbers that carry it over a restart."""
        logs = texts((self.earlier_log_e, self.peak_log_e))
        return {"shares": texts(self.shares), "users": list(self.users), "logs": logs}

    def restored(self, state: Mapping[str, Any]) -> Self:
        """This process with the numbers of `to_state`."""
        earlier, peak = decimals(state["logs"])
        return replace(
            self, shares=decimals(state["shares"]), users=tuple(state["users"]), earlier_log_e=earlier, peak_log_e=peak
        )

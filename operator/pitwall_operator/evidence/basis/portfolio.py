"""Combines several bets into one e-process that follows whichever bet is right now.

The mean of e-processes is an e-process, and moving wealth between them changes no total. Each round a small part may
be spread anew over all bets and cash: so a candidate that turns bad after hours without fault is still caught at once:
the bets do not have to earn back what they lost meanwhile (fixed share, Herbster & Warmuth 1998).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, log
from typing import Any, Self

from pitwall_operator.evidence.basis.process import State, decimals, texts

FIRST_ROUNDS = 200
"""The part spread anew in round t is 1 / (t + this): hardly anything at first, and never too much in total."""


@dataclass(frozen=True, slots=True)
class Portfolio:
    """Logarithms of the wealth of each bet, all 1 at the start; the first is cash, which neither gains nor loses."""

    logs: tuple[float, ...]
    rounds: int = 0
    peak_log_e: float = 0.0

    @classmethod
    def of(cls, bets: int) -> Self:
        """Equal stakes on so many bets and on cash."""
        return cls((0.0,) * (bets + 1))

    @property
    def log_e(self) -> float:
        """Natural logarithm of the mean wealth."""
        return log_mean_exp(self.logs)

    def after(self, gains: Sequence[float], *, spread: bool = True) -> Self:
        """The portfolio after a round in which each bet's wealth grew by the exponential of its gain."""
        logs = tuple(value + gain for value, gain in zip(self.logs, (0.0, *gains), strict=True))
        mean, part = log_mean_exp(logs), 1 / (self.rounds + FIRST_ROUNDS)
        if spread:
            logs = tuple(mean + log((1 - part) * exp(value - mean) + part) for value in logs)
        return type(self)(logs, self.rounds + 1, max(self.peak_log_e, mean))

    def to_state(self) -> State:
        """The numbers that carry it over a restart."""
        return {"logs": texts(self.logs), "rounds": self.rounds, "peak": repr(self.peak_log_e)}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """The portfolio as `to_state` left it."""
        return cls(decimals(state["logs"]), state["rounds"], float(state["peak"]))


class PortfolioProcess:
    """An e-process whose evidence is the wealth of a portfolio."""

    __slots__ = ()
    bets: Portfolio

    @property
    def log_e(self) -> float:
        """Natural logarithm of the evidence now."""
        return self.bets.log_e

    @property
    def peak_log_e(self) -> float:
        """The largest log_e ever."""
        return self.bets.peak_log_e


def log_mean_exp(logs: Sequence[float]) -> float:
    """Logarithm of the mean of e-values given by their logarithms."""
    top = max(logs)
    return top + log(sum(exp(value - top) for value in logs) / len(logs))

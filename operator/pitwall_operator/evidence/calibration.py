"""Two arms of the *same* sampler in, evidence against the assumptions out: an A/A monitor that runs beside the rollout.

If the process for independent trials alarms between equal arms, queries of a block are correlated: use Block. If even
the exchange process alarms, arms differ for other reasons: give the control pods of its own, or make blocks longer.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import log
from typing import Any, Self

from pitwall_operator.evidence.bernoulli import BernoulliProcess, Prior
from pitwall_operator.evidence.counts import Counts, Tally
from pitwall_operator.evidence.exchange import ExchangeProcess
from pitwall_operator.evidence.line import Claim, Line
from pitwall_operator.evidence.process import State

NO_DIFFERENCE = BernoulliProcess.start(Line(), Claim.HARM, Prior(0.05, 10.0))
NO_EXCHANGE = ExchangeProcess()


@dataclass(frozen=True, slots=True)
class Calibration:
    """Both harm processes, in both directions (hence the ln 2), between two arms that must not differ."""

    independence: tuple[BernoulliProcess, BernoulliProcess] = (NO_DIFFERENCE, NO_DIFFERENCE)
    exchange: tuple[ExchangeProcess, ExchangeProcess] = (NO_EXCHANGE, NO_EXCHANGE)

    @property
    def log_e_against_independence(self) -> float:
        """Most evidence ever that trials are not independent, or the arms not equal."""
        return max(process.peak_log_e for process in self.independence) - log(2)

    @property
    def log_e_against_exchange(self) -> float:
        """Most evidence ever that the arms are not equal, however correlated a block is."""
        return max(process.peak_log_e for process in self.exchange) - log(2)

    def update(self, one: Tally, other: Tally) -> Self:
        """The monitor after one more block of two slices of the stable sampler."""
        there, back = Counts(one, other), Counts(other, one)
        return replace(
            self,
            independence=(self.independence[0].update(there), self.independence[1].update(back)),
            exchange=(self.exchange[0].update(there), self.exchange[1].update(back)),
        )

    def to_state(self) -> State:
        """The numbers that carry it over a restart."""
        return {
            "independence": [process.to_state() for process in self.independence],
            "exchange": [process.to_state() for process in self.exchange],
        }

    def restored(self, state: Mapping[str, Any]) -> Self:
        """This monitor with the numbers of `to_state`."""
        there, back = state["independence"]
        first, second = state["exchange"]
        return replace(
            self,
            independence=(NO_DIFFERENCE.restored(there), NO_DIFFERENCE.restored(back)),
            exchange=(NO_EXCHANGE.restored(first), NO_EXCHANGE.restored(second)),
        )

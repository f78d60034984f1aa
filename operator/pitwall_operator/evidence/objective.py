"""One arm's yes/no trials and a limit on its rate in, evidence that the rate is beyond the limit out (an SLO)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from pitwall_operator.evidence.bernoulli import ALMOST_ONE, HARM_ODDS
from pitwall_operator.evidence.counts import Tally
from pitwall_operator.evidence.line import log_likelihood_ratio
from pitwall_operator.evidence.portfolio import Portfolio
from pitwall_operator.evidence.process import State

EVEN_STAKES = Portfolio.of(len(HARM_ODDS))


@dataclass(frozen=True, slots=True)
class ObjectiveProcess:
    """A portfolio over fixed odds of likelihood ratios against "rate ≤ limit". Trials must be independent.

    The limit may be another one at each block, as long as it is chosen before the block is seen.
    """

    bets: Portfolio = EVEN_STAKES

    @property
    def log_e(self) -> float:
        """Natural logarithm of the evidence now."""
        return self.bets.log_e

    @property
    def peak_log_e(self) -> float:
        """The largest log_e ever."""
        return self.bets.peak_log_e

    def against(self, limit: float, tally: Tally) -> Self:
        """The process after one more block that was promised to stay within the limit."""
        if not 0 < limit < ALMOST_ONE or not tally.trials:
            return self
        rates = (odds * limit / (1 - limit + odds * limit) for odds in HARM_ODDS)
        gains = [log_likelihood_ratio(tally.trials, tally.bad, rate, limit) for rate in rates]
        return replace(self, bets=self.bets.after(gains))

    def to_state(self) -> State:
        """The numbers that carry it over a restart."""
        return self.bets.to_state()

    def restored(self, state: Mapping[str, Any]) -> Self:
        """This process with the numbers of `to_state`."""
        return replace(self, bets=Portfolio.from_state(state))

"""Tests the candidate at full weight, where no control runs any more, against the control's earlier results.

The baseline is the control's mean so far, plus three standard errors between blocks. It knows the hours in which it was
made and no others, so the ratio must leave room for the time of day. A control that was never bad proves no rate of 0:
its rate may be as high as would show no bad trial once in a thousand times.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import sqrt
from typing import Any, Self

from pitwall_operator.evidence.contrast import Measure, log_e_of_drift
from pitwall_operator.evidence.counts import Counts, Tally
from pitwall_operator.evidence.process import State, decimals, texts

STANDARD_ERRORS = 3.0
EXPECTED_WITHOUT_ONE = 7.0
"""Who expects seven bad trials sees none once in a thousand times: exp(-7)."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """Sums over the control's blocks, of trials n and values v: n, v, v², v·n, n²."""

    sums: tuple[float, ...] = (0.0,) * 5

    def with_block(self, trials: int, value: float) -> "Baseline":
        """The baseline after one more block."""
        block = (trials, value, value * value, value * trials, trials * trials)
        return Baseline(tuple(kept + new for kept, new in zip(self.sums, block, strict=True)))

    @property
    def limit(self) -> float:
        """Mean value per trial plus three standard errors; 0 without any block."""
        trials, value, value_squares, products, trial_squares = self.sums
        if not trials:
            return 0.0
        mean = value / trials
        residuals = max(value_squares - 2 * mean * products + mean * mean * trial_squares, 0.0)
        return mean + STANDARD_ERRORS * sqrt(residuals) / trials


NO_BASELINE = Baseline()


@dataclass(frozen=True, slots=True)
class RecordProcess:
    """The candidate's drift beyond `ratio` times the baseline: one number per block, asymptotic."""

    ratio: float
    measure: Measure
    baseline: Baseline = NO_BASELINE
    total: float = 0.0
    squares: float = 0.0
    blocks: int = 0
    peak_log_e: float = 0.0

    @property
    def log_e(self) -> float:
        """Natural logarithm of the evidence now."""
        return log_e_of_drift(self.total, self.squares, self.blocks)

    def update(self, counts: Counts) -> Self:
        """The process after one more block: one with a control extends the baseline, any other is held against it."""
        control, candidate = counts.control, counts.candidate
        if control.trials:
            return replace(self, baseline=self.baseline.with_block(control.trials, self._value(control)))
        limit = self._limit()
        if not candidate.trials or limit <= 0:
            return self
        gain = self._value(candidate) - self.ratio * limit * candidate.trials
        after = replace(self, total=self.total + gain, squares=self.squares + gain * gain, blocks=self.blocks + 1)
        return replace(after, peak_log_e=max(self.peak_log_e, after.log_e))

    def _limit(self) -> float:
        trials = self.baseline.sums[0]
        if self.measure is Measure.MEAN or not trials:
            return self.baseline.limit
        return max(self.baseline.limit, EXPECTED_WITHOUT_ONE / trials)

    def _value(self, tally: Tally) -> float:
        return tally.bad if self.measure is Measure.RATE else tally.total

    def to_state(self) -> State:
        """The numbers that carry it over a restart."""
        drift = texts((self.total, self.squares))
        return {
            "record": texts(self.baseline.sums),
            "drift": drift,
            "blocks": self.blocks,
            "peak": repr(self.peak_log_e),
        }

    def restored(self, state: Mapping[str, Any]) -> Self:
        """This process with the numbers of `to_state`."""
        total, squares = decimals(state["drift"])
        return replace(
            self,
            baseline=Baseline(decimals(state["record"])),
            total=total,
            squares=squares,
            blocks=state["blocks"],
            peak_log_e=float(state["peak"]),
        )

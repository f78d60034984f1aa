"""A gate, its counts and a verdict come in, one plain sentence with numbers goes out."""

from math import exp

from pitwall_crds.gate import Gate, QuantileMetric, RateMetric, Unit
from pitwall_crds.status import Verdict
from pitwall_operator.evidence.counts import Counts
from pitwall_operator.gates.assessment import ProcessReading, StageKind

BAD_TRIALS = {
    RateMetric.ERRORS: "{} failed",
    RateMetric.COLD_QUERIES: "{} found a cold cache",
    RateMetric.THUMBS_DOWN: "{} got a thumbs-down",
    RateMetric.FOLLOW_UP: "{} asked again",
    RateMetric.TASK_ABANDONED: "{} gave the task up",
}
SLOW = {
    QuantileMetric.QUERY_LATENCY: "{} were slower than the {} limit",
    QuantileMetric.FRAME_SELECTION: "{} selected frames slower than the {} limit",
}


def noun(gate: Gate) -> str:
    """What one trial of this gate is, in the plural."""
    return "sessions" if gate.rate and gate.rate.unit is Unit.SESSION else "queries"


def sentence(gate: Gate, verdict: Verdict, kind: StageKind, seen: Counts, reading: ProcessReading) -> str:
    """The verdict and the numbers behind it; `reading` is the process that decided, or has yet to."""
    if verdict is Verdict.UNMEASURED:
        return f"no {'pairs of queries' if kind is StageKind.SHADOW else noun(gate)} measured yet"
    facts = _pairs(gate, seen) if reading.name.startswith("paired") else _arms(gate, seen)
    return f"{facts}, {_evidence(reading)}"


def _arms(gate: Gate, seen: Counts) -> str:
    control, candidate = seen.control, seen.candidate
    trials = f"{candidate.trials} {noun(gate)}"
    if gate.mean:
        return f"{candidate.mean:.4g} tokens per query, control {control.mean:.4g}, {trials}"
    return f"{_share(candidate.rate)} of {_what(gate)}, control {_share(control.rate)}, {trials}"


def _pairs(gate: Gate, seen: Counts) -> str:
    pairs = seen.pairs
    if gate.rate:
        return f"{pairs.worse} of {pairs.total} shadowed queries failed"
    size = f"by {gate.margin_percent}% " if gate.margin_percent else ""
    return f"worse {size}on {pairs.worse} and better on {pairs.better} of {pairs.total} shadowed queries"


def _what(gate: Gate) -> str:
    if gate.quantile:
        return SLOW[gate.quantile.metric].format(noun(gate), f"p{gate.quantile.per_mille / 10:g}")
    assert gate.rate is not None
    return BAD_TRIALS[gate.rate.metric].format(noun(gate))


def _share(rate: float) -> str:
    return f"{100 * rate:.2f}%" if rate < 0.01 else f"{100 * rate:.1f}%"


def need(gate: Gate, missing: int | None, below_minimum: int) -> str:
    """How much more must be seen, in words; `missing` None is unknown."""
    short = max(below_minimum, missing or 0)
    if missing is None and short <= 0:
        return ", not approaching proof"
    return f", about {short} more {noun(gate)} needed"


def _evidence(reading: ProcessReading) -> str:
    if reading.log_e >= reading.log_threshold:
        return f"e={_e(reading.log_e)}"
    return f"e={_e(reading.log_e)} of {_e(reading.log_threshold)}"


def _e(log_e: float) -> str:
    """An e-value as people read it."""
    return f"{exp(log_e):.3g}" if log_e < 14 else f"10^{log_e / 2.302585:.0f}"

"""Reads from gateways' counters what a plan needs to know of the stable variant's present traffic.

Pure: no clock, chance or I/O.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import isinf, log
from typing import Final

from pitwall_crds.names import Arm, Label, Metric
from pitwall_crds.rollout.gate import Gate
from pitwall_crds.rollout.rollout import Analysis
from pitwall_operator.evidence.basis.counts import Tally
from pitwall_operator.gates.counting import blocks, counters
from pitwall_operator.gates.counting.edges import tail_edge
from pitwall_operator.gates.counting.expected import GateNow, TrafficNow, assumed
from pitwall_operator.values.observation import Reading

ENOUGH: Final = 100
"""Questions, or trials, from which on a rate is taken as measured."""
Z99: Final = 2.3263
"""How many standard deviations p99 is from p50."""
OF_USERS: Final = (Arm.STABLE, Arm.CONTROL)
"""Where users wait for the stable variant."""


@dataclass(frozen=True, slots=True)
class Present:
    """The traffic as far as it is known, and of what it is known how: by topic, such as `thumbs-down`."""

    traffic: TrafficNow
    measured: Mapping[str, str] = field(default_factory=dict)


def measure(analysis: Analysis, reading: Reading, stable: str) -> Present | None:
    """What gateways have counted since they started; None where that is too little to say how many questions come."""
    questions = {
        identity: sum(counters.total(source, Metric.QUERIES, **{Label.ARM: arm}) for arm in (*OF_USERS, Arm.CANDIDATE))
        for identity, source in reading.sources.items()
    }
    since = min((reading.sources[one].start_time for one, asked in questions.items() if asked), default=reading.time)
    seconds, asked = reading.time - since, sum(questions.values())
    if asked < ENOUGH or seconds <= 0:
        return None
    measured = {"traffic": f"{asked / seconds:.2g} questions a second"}
    gates: dict[str, GateNow] = {}
    for gate in analysis.gates:
        now, words = _gate(gate, reading, stable, seconds)
        gates[gate.name] = now
        if words:
            measured[gate.name] = words
    memory = blocks.memory(reading, stable)
    return Present(TrafficNow(asked / seconds, gates, memory), measured)


def _gate(gate: Gate, reading: Reading, stable: str, seconds: float) -> tuple[GateNow, str]:
    """One gate, and what of it was measured; nothing where too little was counted."""
    if gate.quantile is not None:
        return _times(gate, reading, stable)
    if gate.rate is None:
        return assumed(gate), ""
    answers = sum(
        counters.total(source, Metric.QUERIES, **{Label.SAMPLER_VARIANT: stable, Label.ARM: arm})
        for source in reading.sources.values()
        for arm in OF_USERS
    )
    seen = sum(
        (counters.of_variant(source, gate, stable, OF_USERS) for source in reading.sources.values()), start=Tally()
    )
    usual = assumed(gate)
    if answers < ENOUGH or seconds < 2 * usual.label_delay:
        return usual, ""
    per_question = seen.trials / answers
    now = replace(usual, trials_per_question=per_question)
    often = f"{per_question:.2g} trials a question"
    if seen.trials < ENOUGH:
        return now, often
    rate = (seen.bad + 0.5) / (seen.trials + 1)
    return replace(now, bad_rate=rate), f"{100 * rate:.2g}% bad, {often}"


def _times(gate: Gate, reading: Reading, stable: str) -> tuple[GateNow, str]:
    assert gate.quantile is not None
    history, edges = counters.tail_history(reading, gate.quantile.metric, stable), counters.EDGES[gate.quantile.metric]
    if not history or history[-1] < ENOUGH:
        return assumed(gate), ""
    middle, tail = (tail_edge(edges, history, per_mille) for per_mille in (500, 990))
    if isinf(tail) or tail <= middle:
        return assumed(gate), ""
    return GateNow(0.0, 1.0, spread=log(tail / middle) / Z99), f"p50 {middle:.3g} s, p99 {tail:.3g} s"

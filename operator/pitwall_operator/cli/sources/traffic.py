"""Finds what is known of a rollout's present traffic: said by options, measured by gateways, or assumed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from math import exp

from pitwall_crds.rollout.gate import Gate
from pitwall_crds.rollout.rollout import Rollout
from pitwall_operator.cli.context import fail, near
from pitwall_operator.cli.sources.choose import SourceChoice
from pitwall_operator.gates.counting.expected import GateNow, TrafficNow, assumed
from pitwall_operator.gates.counting.present import Z99, Present, measure
from pitwall_operator.values.errors import CommandError, Exit
from pitwall_operator.values.observation import Reading

USUAL_QUESTIONS_PER_SECOND = 1.0


@dataclass(frozen=True, slots=True)
class SaidTraffic:
    """What the options say of the traffic, by gate."""

    questions_per_second: float | None = None
    rates: Mapping[str, float] = field(default_factory=dict)
    trials: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class KnownTraffic:
    """One thing that is known, and how: said, measured or assumed."""

    topic: str
    what: str
    how: str


def check(said: SaidTraffic, gates: Mapping[str, Gate]) -> None:
    """Ends the command where an option names a gate that is not there, or counts no bad trials."""
    for option, values in (("--rate", said.rates), ("--trials-per-question", said.trials)):
        for name in values:
            if name not in gates:
                fail(f"{option} {name}: there is no such gate{near(name, gates)}", Exit.BAD_INPUT)
            if gates[name].rate is None:
                fail(f"{option} {name}: only gates on a rate have one", Exit.BAD_INPUT)


def present(
    choice: SourceChoice, rollout: Rollout, prometheus: str | None, gateways: str | None = None
) -> tuple[Present | None, str]:
    """What gateways have counted of the variant that serves now; or nothing, and why."""
    try:
        source = choice.open()
        stored = next((one for one in source.rollouts() if one.metadata.name == rollout.metadata.name), None)
    except CommandError as error:
        return None, str(error)
    stable = stored.status.stable_variant if stored else ""
    if stored is None or not stable:
        return None, f"{rollout.metadata.name} has no stable variant in {source.place}"
    reading = source.reading(stored.model_copy(update={"spec": rollout.spec}), prometheus=prometheus, gateways=gateways)
    if not isinstance(reading, Reading):
        return None, reading.reason
    found = measure(rollout.spec.analysis, reading, stable)
    return found, "" if found else f"the gateways of {source.place} have seen too few questions"


def together(
    gates: Mapping[str, Gate], said: SaidTraffic, found: Present | None
) -> tuple[TrafficNow, tuple[KnownTraffic, ...]]:
    """The traffic to plan with, and how each part of it is known."""
    measured = found.measured if found else {}
    base = found.traffic if found else TrafficNow(USUAL_QUESTIONS_PER_SECOND)
    known, now = [], {}
    if said.questions_per_second is not None:
        base = replace(base, questions_per_second=said.questions_per_second)
    how = "said" if said.questions_per_second is not None else "measured" if found else "assumed"
    known.append(KnownTraffic("traffic", f"{base.questions_per_second:.3g} questions a second", how))
    for name, gate in gates.items():
        now[name] = _with(said, name, base.of(gate))
        known += _of_gate(said, gate, now[name], measured.get(name, ""))
    return replace(base, gates=now), tuple(known)


def _with(said: SaidTraffic, name: str, now: GateNow) -> GateNow:
    rate = said.rates[name] / 100 if name in said.rates else now.bad_rate
    return replace(now, bad_rate=rate, trials_per_question=said.trials.get(name, now.trials_per_question))


def _of_gate(said: SaidTraffic, gate: Gate, now: GateNow, measured: str) -> Iterator[KnownTraffic]:
    if gate.rate is None:
        spread = f"values of single queries differ by {100 * now.spread:.0f}%"
        usual = spread if gate.mean else f"p99 is {exp(Z99 * now.spread):.1f} times p50"
        yield KnownTraffic(gate.name, measured or usual, "measured" if measured else "assumed")
        return
    usual_gate = assumed(gate)
    for what, given, is_usual in (
        (f"{100 * now.bad_rate:.3g}% bad", gate.name in said.rates, now.bad_rate == usual_gate.bad_rate),
        (
            f"{now.trials_per_question:.3g} trials a question",
            gate.name in said.trials,
            now.trials_per_question == usual_gate.trials_per_question,
        ),
    ):
        how = "said" if given else "assumed" if is_usual else "measured"
        yield KnownTraffic(gate.name, what, how)

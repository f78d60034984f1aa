"""Says a plan in a few sentences that fit into a status, a warning of the API server and a terminal.

Pure: no clock, chance or I/O.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from pitwall_crds.host.printable import shortened
from pitwall_crds.rollout.rollout import RolloutSpec
from pitwall_operator.gates.counting.expected import TrafficNow
from pitwall_operator.planning.plan import FACTORS, BadPlan, Plan, StagePlan, plan
from pitwall_operator.planning.remedies import what_would_help
from pitwall_operator.values.about import duration, number

MOST: Final = 8
LONGEST: Final = 240
"""Kubernetes cuts a warning at 256 characters."""


def plan_sentences(spec: RolloutSpec, traffic: TrafficNow, *, full_replicas: int = 1) -> tuple[str, ...]:
    """At most MOST sentences of at most LONGEST characters: the way of a healthy candidate, bad ones, remedies."""
    planned = plan(spec, traffic, full_replicas=full_replicas)
    found = (
        _healthy(planned, traffic),
        *(_bad(planned.bad, factor) for factor in FACTORS),
        *what_would_help(spec, traffic, planned, full_replicas=full_replicas),
    )
    return tuple(shortened(sentence, LONGEST) for sentence in found if sentence)[:MOST]


def _healthy(planned: Plan, traffic: TrafficNow) -> str:
    """How long a candidate like the stable takes, in all and stage by stage."""
    lasting = [stage.seconds for stage in planned.stages if stage.seconds is not None]
    stuck = next((stage for stage in planned.stages if stage.seconds is None), None)
    told = f"at {traffic.questions_per_second:.2g} questions a second a healthy candidate "
    if stuck is not None:
        why = next((gate.reason for gate in stuck.gates if gate.gate == stuck.decided_by), "")
        return f"{told}never passes {stuck.name}: {stuck.decided_by}{f', {why}' if why else ''}"
    return f"{told}takes {duration(sum(lasting))}: {', '.join(_stages(planned.stages))}"


def _stages(stages: Sequence[StagePlan]) -> Iterator[str]:
    for stage in stages:
        person = ", then a person approves" if stage.waits_for_person else ""
        yield f"{stage.name} {duration(stage.seconds or 0.0).removeprefix('about ')} ({stage.decided_by}{person})"


def _bad(bad: Sequence[BadPlan], factor: float) -> str:
    """Whom candidates reach that are so many times as bad, gate by gate; empty where there is nothing to say."""
    told = [f"{one.gate} {reached}" for one in bad if one.factor == factor and (reached := _reached(one))]
    return f"one that is {factor:g} times as bad is off after: {'; '.join(told)}" if told else ""


def _reached(one: BadPlan) -> str:
    """Empty where so many times as bad is no harm by the spec's own words."""
    if one.questions is not None and one.seconds is not None:
        within = duration(one.seconds).removeprefix("about ")
        return f"{number(one.questions).removeprefix('about ')} questions ({within})"
    return "never" if one.stage or one.seconds is not None else ""

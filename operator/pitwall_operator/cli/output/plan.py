"""Prints a rollout's plan as tables and sentences, in numbers that people can use."""

from collections.abc import Iterator, Sequence

from rich.table import Table

from pitwall_operator.cli.output.tables import table
from pitwall_operator.cli.sources.traffic import KnownTraffic
from pitwall_operator.planning.plan import BadPlan, StagePlan
from pitwall_operator.values.about import duration, number

HOWS = ("said", "measured", "assumed")


def known_lines(known: Sequence[KnownTraffic]) -> Iterator[str]:
    """What was said, measured and assumed, a line each."""
    for how in HOWS:
        topics: dict[str, list[str]] = {}
        for one in known:
            if one.how == how:
                topics.setdefault(one.topic, []).append(one.what)
        if topics:
            yield f"{how:<9} {'; '.join(f'{topic}: {_listed(parts)}' for topic, parts in topics.items())}"


def _listed(parts: Sequence[str]) -> str:
    return " and ".join(parts)


def stage_table(stages: Sequence[StagePlan]) -> Table:
    """How long a healthy candidate stays in each stage, and what decides it."""
    made = table("STAGE", "SHARE", "HEALTHY", "DECIDED BY")
    for stage in stages:
        person = ", then a person approves" if stage.waits_for_person else ""
        lasts = "never passes" if stage.seconds is None else duration(stage.seconds)
        share = f"{100 * stage.share:g}%" if stage.share else "copies"
        made.add_row(stage.name, share, lasts, _decided(stage) + person)
    return made


def _decided(stage: StagePlan) -> str:
    gate = next((gate for gate in stage.gates if gate.gate == stage.decided_by), None)
    if gate is None:
        return stage.decided_by
    if gate.seconds is None:
        return f"{gate.gate}: {gate.reason}"
    return f"{gate.gate}, {number(gate.trials or 0)} trials"


def bad_table(bad: Sequence[BadPlan]) -> Table:
    """How many questions bad candidates answer before they are found, a row for each gate."""
    factors = list(dict.fromkeys(one.factor for one in bad))
    made = table("GATE", *(f"{factor:g} TIMES AS BAD" for factor in factors))
    for gate in dict.fromkeys(one.gate for one in bad):
        cells = {one.factor: _reach(one) for one in bad if one.gate == gate}
        made.add_row(gate, *(cells[factor] for factor in factors))
    return made


def _reach(one: BadPlan) -> str:
    if one.questions is None or one.seconds is None:
        return one.reason
    if not one.questions:
        said = f"no user: found in {one.stage}, {duration(one.seconds)}"
    else:
        said = f"{number(one.questions)} questions, {duration(one.seconds)}, at {one.stage}"
    return f"{said}; {one.reason}" if one.reason else said

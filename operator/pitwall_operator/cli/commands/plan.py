"""`pitwall plan FILE`: before anything starts, how long a rollout takes and how many users a bad candidate reaches."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pitwall_crds.rollout.rollout import Rollout
from pitwall_crds.variant.variant import SamplerVariant
from pitwall_operator.cli.commands.lifecycle import read
from pitwall_operator.cli.context import (
    Output,
    OutputOption,
    console,
    fail,
    print_json,
    print_lines,
)
from pitwall_operator.cli.sources.choose import SourceChoice
from pitwall_operator.machine.stored import Resource
from pitwall_operator.values.errors import Exit

if TYPE_CHECKING:  # a verb that plans nothing need not wait for the statistics
    from pitwall_operator.cli.sources.traffic import SaidTraffic
    from pitwall_operator.gates.counting.present import Present

RatesOption = Annotated[
    list[str] | None,
    typer.Option(metavar="GATE=PERCENT", help="Of a gate on a rate: how many are bad now. May be repeated."),
]
TrialsOption = Annotated[
    list[str] | None,
    typer.Option(metavar="GATE=N", help="Of a gate on a rate: how many trials a question makes. May be repeated."),
]


PrometheusOption = Annotated[
    str | None,
    typer.Option("--prometheus-url", envvar="PITWALL_PROMETHEUS_URL", help="In a cluster: measure the traffic there."),
]
GatewaysOption = Annotated[
    str | None,
    typer.Option(
        "--prometheus-gateways",
        envvar="PITWALL_PROMETHEUS_GATEWAYS",
        help="PromQL's label matchers of the gateways that are scraped, as the chart's prometheus.gateways.",
    ),
]


def plan(
    choice: SourceChoice,
    filename: Annotated[list[Path], typer.Argument(help="YAML files or folders with a Rollout.")],
    questions_per_second: Annotated[
        float | None, typer.Option(min=0.0, help="Questions now. Default: as measured, or 1.")
    ] = None,
    rate: RatesOption = None,
    trials_per_question: TrialsOption = None,
    prometheus_url: PrometheusOption = None,
    prometheus_gateways: GatewaysOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Say how long each stage takes, and how many questions a bad candidate would answer, before anything starts.

    From what gateways have counted: the embedded one if it runs, those of a cluster by way of its Prometheus. What was
    not measured comes from the options, or is assumed. The output says which.
    """
    from pitwall_operator.cli.sources.traffic import SaidTraffic, present

    found = read(filename)
    rollouts = [resource for resource in found if isinstance(resource, Rollout)]
    if not rollouts:
        fail(f"there is no Rollout in {', '.join(map(str, filename))}", Exit.BAD_INPUT)
    rates = _by_gate("--rate", rate, most=100.0)
    said = SaidTraffic(questions_per_second, rates, _by_gate("--trials-per-question", trials_per_question))
    made = []
    for rollout in rollouts:
        counted = present(choice, rollout, prometheus_url, prometheus_gateways)
        made.append(_planned(rollout, found, said, counted, output))
    if output is Output.JSON:
        print_json(made)


def _by_gate(option: str, given: Sequence[str] | None, most: float = math.inf) -> dict[str, float]:
    """Values by gate. Ends the command where one is no number, or out of bounds."""
    values: dict[str, float] = {}
    for text in given or ():
        gate, _, value = text.partition("=")
        try:
            values[gate] = float(value)
        except ValueError:
            fail(f"{option} {text}: give a gate and a number, such as thumbs-down=2.5", Exit.BAD_INPUT)
        if not 0 <= values[gate] <= most:
            fail(f"{option} {text}: the number must be from 0 to {most:g}", Exit.BAD_INPUT)
    return values


def _replicas(rollout: Rollout, found: Sequence[Resource]) -> int:
    """Of the candidate at full weight, if the files say it."""
    named = (one for one in found if isinstance(one, SamplerVariant))
    wanted = rollout.spec.variant_ref.name
    return next((one.spec.runtime.replicas for one in named if one.metadata.name == wanted), 1)


def _planned(
    rollout: Rollout,
    found: Sequence[Resource],
    said: "SaidTraffic",
    counted: tuple["Present | None", str],
    output: Output,
) -> dict[str, Any]:
    """One Rollout's plan, for programs; printed for people unless it is for programs.

    `counted` is what was measured, or why nothing was.
    """
    from pitwall_operator.cli.output.plan import bad_table, known_lines, stage_table
    from pitwall_operator.cli.sources.traffic import check, together
    from pitwall_operator.planning.plan import plan as make
    from pitwall_operator.planning.remedies import what_would_help

    spec, replicas = rollout.spec, _replicas(rollout, found)
    gates = {gate.name: gate for gate in spec.analysis.gates}
    check(said, gates)
    measured, why = counted
    traffic, known = together(gates, said, measured)
    planned = make(spec, traffic, full_replicas=replicas)
    helps = what_would_help(spec, traffic, planned, full_replicas=replicas)
    if output is Output.TEXT:
        print_lines(
            [f"rollout {rollout.metadata.name}", *known_lines(known), *([f"          ({why})"] if why else []), ""]
        )
        console.print(stage_table(planned.stages))
        print_lines(
            ["", "How many questions a bad candidate would answer before it is off, if it is bad at one gate only"]
        )
        console.print(bad_table(planned.bad))
        print_lines(["", "What would help", *(f"  {sentence}" for sentence in helps)] if helps else [])
    return {
        "name": rollout.metadata.name,
        "known": [asdict(one) for one in known],
        "notMeasured": why,
        "stages": [asdict(stage) for stage in planned.stages],
        "bad": [asdict(one) for one in planned.bad],
        "help": list(helps),
    }

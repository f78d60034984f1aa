"""Commands that show where rollouts stand: `pitwall get`, `status`, `watch`, `explain`, `history`."""

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from pitwall_crds.rollout.rollout import Rollout
from pitwall_crds.variant.variant import SamplerVariant
from pitwall_operator.cli.context import Output, OutputOption, console, fail, near, pick, print_json, print_lines
from pitwall_operator.cli.output.tables import rollout_table, variant_table
from pitwall_operator.cli.output.tree import tree
from pitwall_operator.cli.sources.choose import rollout_names
from pitwall_operator.cli.sources.port import PoolView, ResourceSource
from pitwall_operator.machine.stored import Resource
from pitwall_operator.record import explain as story
from pitwall_operator.values.errors import CommandError, Exit

NameArgument = Annotated[
    str | None,
    typer.Argument(help="Rollout; may be left out where there is only one.", autocompletion=rollout_names),
]
EverywhereOption = Annotated[bool, typer.Option("--all-namespaces", "-A", help="In a cluster: every namespace.")]

KINDS = {
    **dict.fromkeys(("rollout", "rollouts", "pwr"), "Rollout"),
    **dict.fromkeys(("samplervariant", "samplervariants", "pwv", "variant", "variants"), "SamplerVariant"),
}
ALL = "all"


@dataclass(frozen=True, slots=True)
class View:
    """Everything that a screen shows."""

    rollouts: Sequence[Rollout]
    variants: Sequence[SamplerVariant]
    pools: Sequence[PoolView] = ()
    unseen: str = ""
    ingest: str = ""
    place: str = field(default="", kw_only=True)
    everywhere: bool = field(default=False, kw_only=True)

    def pools_of(self, rollout: Rollout) -> list[PoolView]:
        """The pools of a Rollout's namespace."""
        return [pool for pool in self.pools if pool.namespace == rollout.metadata.namespace]


def look(source: ResourceSource, name: str | None, *, everywhere: bool) -> View:
    """What there is now. Who may not see pods, or whose list of them is broken, sees the rest."""
    found = source.rollouts(everywhere=everywhere)
    chosen = found
    if name:
        chosen = tuple(rollout for rollout in found if rollout.metadata.name == name) or (
            pick(found, name, source.place),
        )
    unseen, pools = "", tuple[PoolView, ...]()
    try:
        pools = source.pools(everywhere=everywhere)
    except CommandError as error:
        if error.code not in (Exit.FORBIDDEN, Exit.BAD_INPUT):
            raise
        unseen = f"not shown: {error}"
    place = "this cluster" if everywhere else source.place
    variants = source.variants(everywhere=everywhere)
    return View(chosen, variants, pools, unseen, source.ingest(), place=place, everywhere=everywhere)


def screen(view: View) -> RenderableType:
    """A tree of each Rollout, the variants' five metrics, and where the ingest queue stands."""
    parts: list[RenderableType] = []
    for rollout in view.rollouts:
        parts += [tree(rollout, view.pools, unseen=view.unseen), Text("")]
    if not view.rollouts:
        parts += [Text(f"no Rollout in {view.place}"), Text("")]
    if view.variants:
        parts.append(variant_table(view.variants, everywhere=view.everywhere))
    if view.ingest:
        parts += [Text(""), Text(f"videos prepared ahead: {view.ingest}")]
    return Group(*parts)


def _status_data(view: View, rollout: Rollout) -> dict[str, Any]:
    return {
        "namespace": rollout.metadata.namespace,
        "name": rollout.metadata.name,
        "paused": rollout.spec.paused,
        "status": rollout.status.model_dump(mode="json", by_alias=True),
        "pools": [asdict(pool) for pool in view.pools_of(rollout)],
    }


def _kind(word: str) -> list[str]:
    if word.lower() not in {*KINDS, ALL}:
        fail(f"unknown kind {word!r}; use rollouts, samplervariants or all", Exit.BAD_INPUT)
    return ["Rollout", "SamplerVariant"] if word.lower() == ALL else [KINDS[word.lower()]]


def get(
    source: ResourceSource,
    kind: Annotated[str, typer.Argument(help="rollouts, samplervariants, or all.")] = ALL,
    name: Annotated[str | None, typer.Argument(help="One resource by name.")] = None,
    all_namespaces: EverywhereOption = False,
    output: OutputOption = Output.TEXT,
) -> None:
    """List resources with their status."""
    kinds = _kind(kind)
    rollouts = source.rollouts(everywhere=all_namespaces) if "Rollout" in kinds else ()
    variants = source.variants(everywhere=all_namespaces) if "SamplerVariant" in kinds else ()
    found: list[Resource] = [*rollouts, *variants]
    if name and all(name != resource.metadata.name for resource in found):
        known = near(name, (resource.metadata.name for resource in found))
        fail(f"{kind} {name!r} does not exist in {source.place}{known}", Exit.NOT_FOUND)
    chosen = [resource for resource in found if name in (None, resource.metadata.name)]
    if output is Output.JSON:
        print_json([resource.model_dump(mode="json", by_alias=True) for resource in chosen])
        return
    view = View([r for r in rollouts if r in chosen], [v for v in variants if v in chosen], everywhere=all_namespaces)
    tables = [rollout_table(view.rollouts, everywhere=view.everywhere)] if view.rollouts else []
    tables += [variant_table(view.variants, everywhere=view.everywhere)] if view.variants else []
    console.print(Group(*(part for table in tables for part in (table, Text(""))))
                  if tables else f"nothing in {source.place}")  # fmt: skip


def status(
    source: ResourceSource,
    rollout: NameArgument = None,
    all_namespaces: EverywhereOption = False,
    output: OutputOption = Output.TEXT,
) -> None:
    """Show trees: stage, traffic, pods, evidence. And every variant's five metrics."""
    view = look(source, rollout, everywhere=all_namespaces)
    if output is Output.TEXT:
        console.print(screen(view))
        return
    data = [_status_data(view, each) for each in view.rollouts]
    print_json(data[0] if rollout and len(data) == 1 else data)


def watch(
    source: ResourceSource,
    rollout: NameArgument = None,
    all_namespaces: EverywhereOption = False,
    seconds: Annotated[float, typer.Option(min=0.1, help="Pause between refreshes.")] = 1.0,
    output: OutputOption = Output.TEXT,
) -> None:
    """Show `status`, live, until Ctrl-C. In JSON, a line for each change. A cluster that is away is waited for."""
    looks = _looks(source, rollout, everywhere=all_namespaces, seconds=seconds)
    if output is Output.JSON:
        _print_changes(looks)
        return
    with Live(screen(next(looks)[0]), console=console, screen=console.is_terminal, auto_refresh=False) as live:
        for view, notice in looks:
            live.update(Group(screen(view), Text(notice, style="red")), refresh=True)


def _looks(source: ResourceSource, name: str | None, *, everywhere: bool, seconds: float) -> Iterator[tuple[View, str]]:
    """The newest view, again and again, and why it is old if it is. Raises CommandError at the first look only."""
    view = look(source, name, everywhere=everywhere)
    yield view, ""
    seen = time.monotonic()
    while True:
        time.sleep(seconds)
        try:
            view, notice = look(source, name, everywhere=everywhere), ""
            seen = time.monotonic()
        except CommandError as problem:
            notice = f"seen {time.monotonic() - seen:.0f} s ago: {problem}; trying again"
        yield view, notice


def _print_changes(looks: Iterator[tuple[View, str]]) -> None:
    known: dict[tuple[str, str], dict[str, Any]] = {}
    for view, _ in looks:
        for rollout in view.rollouts:
            key, data = (rollout.metadata.namespace, rollout.metadata.name), _status_data(view, rollout)
            if known.get(key) != data:
                known[key] = data
                typer.echo(json.dumps(data))


def explain(source: ResourceSource, rollout: NameArgument = None) -> None:
    """Tell in sentences what was decided, when, and on what evidence."""
    chosen = pick(source.rollouts(), rollout, source.place)
    lines = list(source.record(chosen)) if source.record_is_near else []
    print_lines(story.story(chosen, lines))
    if not source.record_is_near:
        print_lines(["", f"The whole record: kubectl pitwall record {chosen.metadata.name}"])


def history(source: ResourceSource, rollout: NameArgument = None, output: OutputOption = Output.TEXT) -> None:
    """List every decision that changed something."""
    chosen = pick(source.rollouts(), rollout, source.place)
    if output is Output.JSON:
        print_json([entry.model_dump(mode="json", by_alias=True) for entry in chosen.status.history])
        return
    print_lines(story.timeline(chosen) if chosen.status.history else ["nothing was decided yet"])

"""`pitwall lint FILE`: says, without a cluster, what the admission webhook would say about files."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pitwall_crds.variant.variant import SamplerEntry
from pitwall_operator.cli.commands.lifecycle import read
from pitwall_operator.cli.context import Output, OutputOption, fail, print_json, print_lines
from pitwall_operator.machine.stored import Resource
from pitwall_operator.values.errors import Exit

if TYPE_CHECKING:
    from pitwall_operator.cluster.webhook.admission import Review


def lint(
    filename: Annotated[list[Path], typer.Argument(help="YAML files or folders; they are checked together.")],
    catalogue: Annotated[
        Path | None,
        typer.Option(help="What an own image has: the output of pitwall-runtime catalogue --json."),
    ] = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Check files without applying them, as the admission webhook would if they were all there is."""
    found = read(filename)
    reviews = list(zip(found, _reviews(found, _catalogue(catalogue)), strict=True))
    if output is Output.JSON:
        print_json(
            [
                {"kind": one.kind, "name": one.metadata.name, "refusals": said.refusals, "warnings": said.warnings}
                for one, said in reviews
            ]
        )
    else:
        print_lines(line for one, said in reviews for line in _lines(one, said))
        if any(one.kind == "Rollout" and not said.refusals for one, said in reviews):
            print_lines([f"How long will it take? pitwall plan {' '.join(map(str, filename))}"])
    refused = sum(bool(said.refusals) for _, said in reviews)
    if refused:
        fail(f"{refused} of {len(reviews)} resources would be refused", Exit.BAD_INPUT)


def _lines(resource: Resource, said: "Review") -> list[str]:
    title = f"{resource.kind} {resource.metadata.name}"
    problems = [f"{title}: {problem}" for problem in said.refusals]
    return [*(problems or [f"{title}: good"]), *(f"{title}: warning: {warning}" for warning in said.warnings)]


def _catalogue(file: Path | None) -> Sequence[SamplerEntry]:
    """The samplers of an image, from a file. Raises CommandError where it is no catalogue."""
    if file is None:
        return ()
    try:
        said = json.loads(file.read_text(encoding="utf-8"))
        return [SamplerEntry.model_validate(entry) for entry in said["samplers"]]
    except (OSError, ValueError, LookupError, TypeError) as error:
        fail(f"{file} is no catalogue ({error}); write one with `pitwall-runtime catalogue --json`", Exit.BAD_INPUT)


def _reviews(found: Sequence[Resource], image: Sequence[SamplerEntry]) -> list["Review"]:
    """The webhook's answer to each, in the order of the files: what comes first is the oldest."""
    from pitwall_operator.cluster.webhook.admission import review
    from pitwall_operator.decision.permission.runnable import BUILT_IN
    from pitwall_operator.kube.cache import Cache
    from pitwall_operator.kube.client import ROLLOUTS, VARIANTS

    cache, kinds = Cache(), {kind.name: kind for kind in (ROLLOUTS, VARIANTS)}
    objects = []
    for number, resource in enumerate(found, start=1):
        manifest = resource.to_manifest()
        place = {"name": resource.metadata.name, "namespace": resource.metadata.namespace}
        manifest["metadata"] = {**place, "resourceVersion": str(number), "creationTimestamp": f"{number:06}"}
        cache.put(kinds[resource.kind], manifest)
        objects.append((kinds[resource.kind], manifest))
    return [review(kind, "CREATE", manifest, cache, replace(BUILT_IN, image=image)) for kind, manifest in objects]

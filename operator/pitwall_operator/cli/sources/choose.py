"""Chooses, from a command's options, whether it speaks of the embedded mode's folder or of a cluster."""

import functools
import inspect
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from pitwall_operator.cli.context import DEFAULT_STATE, fail
from pitwall_operator.cli.sources.folder import Folder
from pitwall_operator.cli.sources.port import ResourceSource
from pitwall_operator.values.errors import Exit, OperatorError

PLUGIN = "kubectl-pitwall"

NamespaceOption = Annotated[
    str | None, typer.Option("--namespace", "-n", help="In a cluster: this namespace, not the context's.")
]
ContextOption = Annotated[str | None, typer.Option("--context", help="In a cluster: this context of the kubeconfig.")]
KubeconfigOption = Annotated[Path | None, typer.Option("--kubeconfig", help="In a cluster: this kubeconfig.")]
FolderOption = Annotated[
    Path | None, typer.Option("--state", help="Embedded mode: this folder.", show_default=DEFAULT_STATE)
]
CHOICE: dict[str, Any] = {
    "namespace": NamespaceOption, "context": ContextOption, "kubeconfig": KubeconfigOption, "state": FolderOption,
}  # fmt: skip
"""The options that every verb of both worlds has."""


@dataclass(frozen=True, slots=True)
class SourceChoice:
    """What the user said about where to look."""

    namespace: str | None = None
    context: str | None = None
    kubeconfig: Path | None = None
    state: Path | None = None
    everywhere: bool = False

    def open(self) -> ResourceSource:
        """The cluster if called as kubectl's plugin or an option names one, else the folder. Raises CommandError."""
        cluster = self.everywhere or any(value is not None for value in (self.namespace, self.context, self.kubeconfig))
        if cluster and self.state is not None:
            fail(
                "--state is the embedded mode's and the other options are a cluster's; give one of both", Exit.BAD_INPUT
            )
        if cluster or (self.state is None and is_plugin()):
            from pitwall_operator.cli.sources.cluster import Cluster
            from pitwall_operator.cli.sources.kubeconfig import ClusterTarget

            return Cluster.open(ClusterTarget(self.kubeconfig, self.context, self.namespace))
        return Folder(self.state or Path(os.environ.get("PITWALL_STATE") or DEFAULT_STATE))


def is_plugin() -> bool:
    """Whether this process was started as `kubectl pitwall`."""
    return Path(sys.argv[0]).stem == PLUGIN


def with_source(command: Callable[..., None]) -> Callable[..., None]:
    """A command whose first parameter is the Source that the user chose, or the unopened Choice, by added options."""
    first, *own = inspect.signature(command, eval_str=True).parameters.values()
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
        for name, annotation in CHOICE.items()
    ]

    @functools.wraps(command)
    def run(**given: Any) -> None:
        where = {name: given.pop(name) for name in CHOICE}
        choice = SourceChoice(**where, everywhere=given.get("all_namespaces", False))
        if first.annotation is SourceChoice:
            command(choice, **given)
            return
        source = choice.open()
        if isinstance(source, Folder):
            source.tell_unreadable()
        command(source, **given)

    run.__signature__ = inspect.Signature([*own, *added])  # type: ignore[attr-defined]
    return run


def rollout_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """For shell completion; where nothing can be found out, nothing is offered."""
    where: dict[str, Any] = {name: ctx.params.get(name) for name in CHOICE}
    try:
        found = SourceChoice(**where).open().rollouts()
    except OperatorError:
        return []
    return [rollout.metadata.name for rollout in found if rollout.metadata.name.startswith(incomplete)]

"""Registers every command of the command line."""

import sys
from collections.abc import Callable
from importlib.metadata import version
from typing import Annotated

try:
    import typer
    from rich.text import Text
except ModuleNotFoundError as missing:  # who installed the extra `sampler` alone has this command, too
    print(
        f"pitwall: {missing.name} is missing; install the extra `operator`: pip install '.[operator]' in your checkout "
        f"of Pitwall. What authors of samplers need works without it: pitwall-runtime check-sampler",
        file=sys.stderr,
    )
    sys.exit(2)

from pitwall_crds.errors import UnreadableFileError
from pitwall_operator.cli.commands import (
    act,
    ask,
    clients,
    completion,
    create,
    dashboard,
    lifecycle,
    lint,
    look_back,
    plan,
    rights,
    samplers,
    show,
)
from pitwall_operator.cli.context import problems
from pitwall_operator.cli.sources.choose import (
    ContextOption,
    FolderOption,
    KubeconfigOption,
    NamespaceOption,
    is_plugin,
    with_source,
)
from pitwall_operator.values.errors import CommandError, Exit, ResourceRefusedError

Command = Callable[..., None]

app = typer.Typer(
    name="pitwall",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
create_app = typer.Typer(no_args_is_help=True, help="Write a variant or a rollout, asking for what is not said.")

BOTH_WORLDS: tuple[Command, ...] = (
    show.get, show.status, show.watch, show.explain, show.history,
    act.promote, act.undo, act.abort, act.retry, act.pause, act.resume, act.kill, act.release,
    lifecycle.apply, lifecycle.delete, look_back.record, plan.plan,
)  # fmt: skip
ONE_MACHINE: tuple[Command, ...] = (
    lifecycle.up, lifecycle.down, clients.clients, lint.lint, look_back.replay, look_back.plot,
    ask.ask, dashboard.dashboard, completion.completion,
    samplers.new_sampler, samplers.check_sampler, samplers.sample,
)  # fmt: skip

CLUSTER: tuple[Command, ...] = (rights.check_rights,)

for command in BOTH_WORLDS:
    app.command()(with_source(command))
for command in CLUSTER:
    app.command()(command)
for command in ONE_MACHINE:
    app.command()(command)
for command in (create.variant, create.rollout):
    create_app.command()(with_source(command))
app.add_typer(create_app, name="create")


def _say_version(wanted: bool) -> None:
    if wanted:
        typer.echo(version("pitwall"))
        raise typer.Exit


@app.callback()
def common(
    ctx: typer.Context,
    namespace: NamespaceOption = None,
    context: ContextOption = None,
    kubeconfig: KubeconfigOption = None,
    state: FolderOption = None,
    _version: Annotated[bool, typer.Option("--version", callback=_say_version, is_eager=True)] = False,
) -> None:
    """Progressive delivery for frame samplers: declare one, let it prove itself on live traffic, sleep.

    `kubectl pitwall` and the options --namespace, --context and --kubeconfig speak of a cluster; `pitwall` without them
    speaks of the embedded mode's folder.
    """
    given = {"namespace": namespace, "context": context, "kubeconfig": kubeconfig, "state": state}
    said = {name: value for name, value in given.items() if value is not None}
    names = [command.__name__.replace("_", "-") for command in (*BOTH_WORLDS, *CLUSTER)]
    of_folder = {"state": state} if state is not None else {}
    machine = {command.__name__: of_folder for command in ONE_MACHINE}
    ctx.default_map = machine | dict.fromkeys(names, said) | {"create": {"variant": said, "rollout": said}}


def main() -> None:
    """Run the command line; what the user can mend is said in a sentence, never as a traceback."""
    try:
        app(prog_name="kubectl pitwall" if is_plugin() else "pitwall")
    except CommandError as error:
        problems.print(Text.assemble(("pitwall:", "bold red"), f" {error}"))
        sys.exit(error.code)
    except (ResourceRefusedError, UnreadableFileError) as error:
        problems.print(f"pitwall: {error}", markup=False)
        sys.exit(Exit.BAD_INPUT)
    except (OSError, ValueError) as error:
        problems.print(f"pitwall: {type(error).__name__}: {error}", markup=False)
        sys.exit(Exit.FAILED)
    except KeyboardInterrupt:
        sys.exit(130)

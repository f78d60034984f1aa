"""The table of contents of the command line."""

import sys
from collections.abc import Callable

import typer

from pitwall_operator.cli import act, ask, lifecycle, look_back, show
from pitwall_operator.cli.context import Exit, problems
from pitwall_operator.resources import Refused

app = typer.Typer(
    name="pitwall",
    help="Progressive delivery for frame samplers: declare one, let it prove itself on live traffic, sleep.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

COMMANDS: tuple[Callable[..., None], ...] = (
    lifecycle.up, lifecycle.down, lifecycle.apply, lifecycle.delete, lifecycle.lint,
    show.get, show.status, show.watch, show.explain, show.history,
    act.promote, act.abort, act.retry, act.pause, act.resume, act.kill,
    look_back.replay, look_back.plot,
    ask.ask,
)  # fmt: skip
for command in COMMANDS:
    app.command()(command)


def main() -> None:
    """Run the command line; what the user can mend is said in a sentence, never as a traceback."""
    try:
        app()
    except Refused as error:
        problems.print(f"pitwall: {error}", markup=False)
        sys.exit(Exit.BAD_INPUT)
    except (OSError, ValueError) as error:
        problems.print(f"pitwall: {type(error).__name__}: {error}", markup=False)
        sys.exit(Exit.FAILED)
    except KeyboardInterrupt:
        sys.exit(130)

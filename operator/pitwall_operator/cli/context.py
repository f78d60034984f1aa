"""Options, output formats and error handling that all commands share."""

import difflib
import json
from collections.abc import Iterable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from pitwall_crds.rollout.rollout import Rollout
from pitwall_operator.cli.terminal import SafeConsole
from pitwall_operator.values.errors import CommandError, Exit

DEFAULT_STATE = ".pitwall"


class Output(StrEnum):
    """How a command prints."""

    TEXT = "text"
    JSON = "json"


StateOption = Annotated[
    Path,
    typer.Option("--state", envvar="PITWALL_STATE", help="Folder of the embedded mode.", show_default=True),
]
OutputOption = Annotated[Output, typer.Option("--output", "-o", help="text, or json for programs.")]

PIPE_WIDTH = 200
"""Columns of a table that goes to a file or a program: wide enough not to fold."""

console = SafeConsole(highlight=False, soft_wrap=True)
if not console.is_terminal:
    console = SafeConsole(highlight=False, soft_wrap=True, width=PIPE_WIDTH)
problems = SafeConsole(stderr=True, highlight=False, soft_wrap=True)


def fail(message: str, code: Exit = Exit.FAILED) -> NoReturn:
    """End the command with a message on standard error."""
    raise CommandError(message, code)


def pick(rollouts: Sequence[Rollout], name: str | None, place: str) -> Rollout:
    """The named Rollout, or the only one. Raises CommandError where that is not clear."""
    known = {rollout.metadata.name: rollout for rollout in rollouts}
    if name is None and len(known) == 1:
        return rollouts[0]
    if name in known:
        return known[name]
    if not known:
        fail(f"there is no Rollout in {place}; apply one, or look elsewhere", Exit.NOT_FOUND)
    if name is None:
        fail(f"there are {len(known)} Rollouts in {place}, name one of them: {', '.join(known)}", Exit.BAD_INPUT)
    fail(f"Rollout {name!r} does not exist in {place}{near(name, known)}", Exit.NOT_FOUND)


def near(name: str, known: Iterable[str]) -> str:
    """The names that could have been meant, to be added to a message."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=3)
    return f"; did you mean {' or '.join(close)}?" if close else f"; known: {', '.join(names[:20]) or 'none'}"


def print_json(data: Any) -> None:
    """Machine-readable output."""
    typer.echo(json.dumps(data, indent=2, default=str))


def print_lines(lines: Iterable[str]) -> None:
    """Human-readable output, without markup."""
    for line in lines:
        console.print(line, markup=False)
